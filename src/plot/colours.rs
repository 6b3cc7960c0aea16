//! The colours of numbers.

/// The colour of a part from 0 to 1 in *viridis*, whose lightness only grows, so it is legible in grey and for colour-blind
/// people (van der Walt and Smith, matplotlib 1.5, 2015; CC0). It is a polynomial that Matt Zucker fitted to it (2019; CC0), and is off by
/// at most 3 of 255.
pub fn viridis(part: f64) -> [u8; 3] {
    const BY_POWER: [[f64; 3]; 7] = [
        [0.2777273272234177, 0.005407344544966578, 0.3340998053353061],
        [0.1050930431085774, 1.404613529898575, 1.384590162594685],
        [-0.3308618287255563, 0.214847559468213, 0.09509516302823659],
        [-4.634230498983486, -5.799100973351585, -19.33244095627987],
        [6.228269936347081, 14.17993336680509, 56.69055260068105],
        [4.776384997670288, -13.74514537774601, -65.35303263337234],
        [-5.435455855934631, 4.645852612178535, 26.3124352495832],
    ];
    let part = part.clamp(0.0, 1.0);
    std::array::from_fn(|channel| {
        let value = BY_POWER.iter().rev().fold(0.0, |sum, power| sum * part + power[channel]);
        (255.0 * value).round().clamp(0.0, 255.0) as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_viridis_and_its_lightness_only_grows() {
        // From the table of matplotlib.
        for (part, colour) in [
            (0.0, [68, 1, 84]),
            (0.25, [59, 82, 139]),
            (0.5, [33, 145, 140]),
            (0.75, [94, 201, 98]),
            (1.0, [253, 231, 37]),
        ] {
            let own = viridis(part);
            assert!((0..3).all(|n| own[n].abs_diff(colour[n]) <= 4), "{part}: {own:?}, not {colour:?}");
        }
        let grey = |step: u32| {
            let [red, green, blue] = viridis(f64::from(step) / 64.0).map(f64::from);
            0.2126 * red + 0.7152 * green + 0.0722 * blue
        };
        assert!((0..64).all(|step| grey(step) + 1.0 < grey(step + 1)));
        assert_eq!((viridis(-1.0), viridis(2.0)), (viridis(0.0), viridis(1.0)));
    }
}
