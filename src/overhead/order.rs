//! The order of the runs: random and balanced.

/// For each pair, whether its captured run comes first. The order is random, and each kind comes first in
/// half of the pairs. So a drift over the runs (such as a machine that warms up), and the effects of one run
/// on the next, affect both kinds equally.
pub fn captured_first(pairs: usize, random: &mut fastrand::Rng) -> Vec<bool> {
    let odd = random.usize(..2);
    let mut order: Vec<bool> = (0..pairs).map(|pair| (pair + odd).is_multiple_of(2)).collect();
    random.shuffle(&mut order);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_comes_first_as_often_in_an_order_that_differs() {
        let orders: Vec<_> = (0..20).map(|seed| captured_first(7, &mut fastrand::Rng::with_seed(seed))).collect();
        for order in &orders {
            let first = order.iter().filter(|first| **first).count();
            assert!(order.len() == 7 && (first == 3 || first == 4), "{order:?}");
        }
        assert!(orders.iter().any(|order| order != &orders[0]));
        let even: Vec<_> = (0..20).map(|seed| captured_first(6, &mut fastrand::Rng::with_seed(seed))).collect();
        assert!(
            even.iter().any(|order| order != &even[0]),
            "both kinds come first equally often, and the order is still random"
        );
        let lone: Vec<_> = (0..20).map(|seed| captured_first(1, &mut fastrand::Rng::with_seed(seed))[0]).collect();
        assert!(lone.contains(&true) && lone.contains(&false));
    }
}
