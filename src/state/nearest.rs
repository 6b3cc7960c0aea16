//! Finds the nearest of many windows. Each window is a row of numbers: the roots of its shares.

use super::composition::{Composition, Name};
use std::collections::HashMap;

/// The length of a row is a multiple of this number, so that the compiler can vectorise the sums.
const LANES: usize = 16;

/// The column of each name that has events in a known window. Column 0 marks windows without events.
#[derive(Debug, Clone, Default)]
pub(super) struct Columns {
    /// The column by name; 0 for a name that no known window has.
    places: Vec<usize>,
    width: usize,
}

impl Columns {
    pub fn of<'a>(windows: impl IntoIterator<Item = &'a Composition>) -> Self {
        let (mut places, mut used) = (Vec::new(), 1);
        for (name, _) in windows.into_iter().flat_map(Composition::roots) {
            let name = *name as usize;
            if places.len() <= name {
                places.resize(name + 1, 0);
            }
            if places[name] == 0 {
                places[name] = used;
                used += 1;
            }
        }
        Columns { places, width: used.next_multiple_of(LANES) }
    }

    fn place(&self, name: Name) -> Option<usize> {
        self.places.get(name as usize).copied().filter(|place| *place > 0)
    }

    /// The row of a window. Names that no known window has are omitted, because they add nothing to a
    /// product.
    pub fn row(&self, window: &Composition) -> Vec<f32> {
        let mut row = vec![0.0; self.width];
        if window.events() == 0 {
            row[0] = 1.0;
        }
        for (name, root) in window.roots() {
            if let Some(place) = self.place(*name) {
                row[place] = *root as f32;
            }
        }
        row
    }
}

/// The rows of windows, each different row once. The windows of short lengths are often alike, and the search for the
/// nearest window of a row visits all known windows.
#[derive(Debug, Default)]
pub(super) struct DifferentRows {
    pub different: Vec<Vec<f32>>,
    /// For each window, the place of its row in `different`.
    pub places: Vec<usize>,
}

impl DifferentRows {
    pub fn of(rows: impl Iterator<Item = Vec<f32>>) -> Self {
        let mut known = HashMap::<Vec<u32>, usize>::new();
        let mut all = DifferentRows::default();
        for row in rows {
            let place = *known.entry(row.iter().map(|value| value.to_bits()).collect()).or_insert(all.different.len());
            if place == all.different.len() {
                all.different.push(row);
            }
            all.places.push(place);
        }
        all
    }
}

/// The rows of windows, one after the other.
#[derive(Debug, Clone, Default)]
pub(super) struct Matrix {
    values: Vec<f32>,
    width: usize,
}

impl Matrix {
    pub fn of<'a>(columns: &Columns, windows: impl IntoIterator<Item = &'a Composition>) -> Self {
        Matrix { values: windows.into_iter().flat_map(|window| columns.row(window)).collect(), width: columns.width }
    }

    pub fn iter(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.width.max(1))
    }

    /// The index of the nearest window, and its distance. Of several equally near ones it takes the first.
    /// `None` if the matrix is empty.
    pub fn nearest(&self, row: &[f32]) -> Option<(usize, f64)> {
        let products = self.iter().map(|known| product(known, row)).enumerate();
        let (index, common) = products.reduce(|best, next| if next.1 > best.1 { next } else { best })?;
        Some((index, distance(common)))
    }
}

/// For each window of each part, the distance from the nearest window of all other parts.
pub(super) fn nearest_of_others(parts: &[Matrix]) -> Vec<Vec<Option<f64>>> {
    let mut best: Vec<Vec<Option<f32>>> = parts.iter().map(|part| vec![None; part.iter().count()]).collect();
    for (a, part) in parts.iter().enumerate() {
        for (b, other) in parts.iter().enumerate().skip(a + 1) {
            for (i, row) in part.iter().enumerate() {
                for (j, of_other) in other.iter().enumerate() {
                    // The product is the same for both windows, so each pair is computed once.
                    let common = Some(product(row, of_other));
                    best[a][i] = if common > best[a][i] { common } else { best[a][i] };
                    best[b][j] = if common > best[b][j] { common } else { best[b][j] };
                }
            }
        }
    }
    best.into_iter().map(|part| part.into_iter().map(|common| common.map(distance)).collect()).collect()
}

fn distance(common: f32) -> f64 {
    f64::from(1.0 - common).clamp(0.0, 1.0).sqrt()
}

/// The scalar product, summed in lanes, because the compiler may not reorder floating-point additions itself.
fn product(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    for (a, b) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_alike_are_kept_once() {
        let rows =
            DifferentRows::of([[1.0, 0.0], [0.5, 0.5], [1.0, 0.0], [0.5, 0.5], [0.0, 1.0]].map(Vec::from).into_iter());
        assert_eq!(
            (rows.places, rows.different),
            (vec![0, 1, 0, 1, 2], [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]].map(Vec::from).into())
        );
    }

    #[test]
    fn the_nearest_is_the_one_with_the_least_distance() {
        let mut random = fastrand::Rng::with_seed(11);
        let mut window = |names: u32| {
            let counts = (0..names).map(|name| (name * 3, random.u64(..6) * random.u64(..900)));
            Composition::of(counts.collect::<Vec<_>>())
        };
        let mut known: Vec<Composition> = (0..30).map(|_| window(40)).collect();
        known.push(Composition::default());
        let columns = Columns::of(&known);
        let rows = Matrix::of(&columns, &known);
        assert_eq!(rows.iter().count(), 31);
        // The new windows have some names that no known window has.
        for new in (0..50).map(|_| window(60)).chain([Composition::default(), Composition::of([(1, 5)])]) {
            let (index, distance) = rows.nearest(&columns.row(&new)).unwrap();
            let least = known.iter().map(|known| new.distance(known)).fold(f64::INFINITY, f64::min);
            assert!((distance - least).abs() < 1e-4, "{distance} {least}");
            assert!((new.distance(&known[index]) - least).abs() < 1e-4);
        }
        let itself = rows.nearest(&columns.row(&known[17])).unwrap();
        assert!(itself.0 == 17 && itself.1 < 1e-3, "{itself:?}");
        assert!(Matrix::of(&columns, []).nearest(&columns.row(&known[0])).is_none());

        let parts = [&known[..10], &known[10..12], &known[12..]];
        let of_others = nearest_of_others(&parts.map(|part| Matrix::of(&columns, part)));
        for (part, distances) in parts.iter().zip(&of_others) {
            for (window, distance) in part.iter().zip(distances) {
                let others = parts.iter().filter(|other| other.as_ptr() != part.as_ptr()).copied().flatten();
                let least = others.map(|other| window.distance(other)).fold(f64::INFINITY, f64::min);
                assert!((distance.unwrap() - least).abs() < 1e-4);
            }
        }
        assert_eq!(nearest_of_others(&[Matrix::of(&columns, &known[..2])]), [[None, None]]);
    }
}
