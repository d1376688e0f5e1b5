//! How well a score separates implants from benign hosts.

/// Share of benign hosts that may be mistaken for implants.
const FALSE_SHARE: f64 = 0.01;

/// How well one score ranks implants above benign hosts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranking {
    /// Probability that an implant scores higher than a benign host, ties half (Mann & Whitney 1947): the area under
    /// the receiver's curve, 0 to 1.
    pub auc: f64,
    /// Share of implants that score higher than all but one in a hundred of the benign hosts.
    pub recall_at_hundredth: f64,
}

impl Ranking {
    /// Ranks the scores; `None` without implants or benign hosts.
    pub fn of(implants: &[f64], benign: &[f64]) -> Option<Self> {
        if implants.is_empty() || benign.is_empty() {
            return None;
        }
        let mut sorted = benign.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let wins: f64 = implants
            .iter()
            .map(|score| {
                let below = sorted.partition_point(|other| other < score);
                let not_above = sorted.partition_point(|other| other <= score);
                0.5 * (below + not_above) as f64
            })
            .sum();
        let auc = wins / (implants.len() as f64 * benign.len() as f64);
        // The benign score that one in a hundred exceed, rounded against us.
        let allowed = (FALSE_SHARE * benign.len() as f64).floor() as usize;
        let threshold = sorted[benign.len() - 1 - allowed.min(benign.len() - 1)];
        let above = implants.iter().filter(|&&score| score > threshold).count();
        Some(Self { auc, recall_at_hundredth: above as f64 / implants.len() as f64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn perfect_useless_and_tied_scores() {
        let benign: Vec<f64> = (0..100).map(f64::from).collect();
        let perfect = Ranking::of(&[100.0, 200.0], &benign).unwrap();
        assert_eq!(perfect, Ranking { auc: 1.0, recall_at_hundredth: 1.0 });
        let tied = Ranking::of(&[1.0; 5], &[1.0; 50]).unwrap();
        assert_eq!(tied, Ranking { auc: 0.5, recall_at_hundredth: 0.0 });
        let second = Ranking::of(&[98.5, 97.5], &benign).unwrap();
        assert_eq!(second.recall_at_hundredth, 0.5, "one of a hundred may be above");
        assert_eq!(Ranking::of(&[], &benign), None);
    }

    proptest! {
        #[test]
        fn the_area_equals_all_comparisons(
            implants in prop::collection::vec(0i32..20, 1..30), benign in prop::collection::vec(0i32..20, 1..60),
        ) {
            let [implants, benign] = [implants, benign].map(|scores| scores.into_iter().map(f64::from).collect::<Vec<_>>());
            let slow: f64 = implants.iter().flat_map(|a| benign.iter().map(move |b| {
                if a > b { 1.0 } else if a == b { 0.5 } else { 0.0 }
            })).sum();
            let found = Ranking::of(&implants, &benign).unwrap();
            prop_assert!((found.auc - slow / (implants.len() * benign.len()) as f64).abs() < 1e-9);
            prop_assert!((0.0..=1.0).contains(&found.recall_at_hundredth));
        }
    }
}
