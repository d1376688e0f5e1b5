//! Benign random traffic with as many connections as an implant makes, in the same time.

use super::habit::Contact;
use kernels::simulation::{Benign, Draws};

/// Draws benign contacts of one family: about `count` within `span_s` seconds over `remotes` addresses, sorted.
///
/// Renewal families have no scale of their own, so a train of the wanted number is stretched over the span. The daily
/// rhythm and the human family keep theirs: they are drawn at the fitting rate and cut at the end. With several
/// addresses, half of the hosts distribute one train over them, the others have a train for each.
pub(super) fn benign_contacts(
    family: Benign,
    draws: &mut Draws,
    count: usize,
    span_s: f64,
    remotes: u32,
) -> Vec<Contact> {
    let apart = remotes > 1 && draws.uniform() < 0.5;
    let mut contacts = Vec::with_capacity(count);
    if apart {
        for remote in 0..remotes {
            let train = benign_starts(family, draws, (count / remotes as usize).max(2), span_s);
            contacts.extend(train.into_iter().map(|start_s| Contact { start_s, remote }));
        }
    } else {
        let train = benign_starts(family, draws, count, span_s);
        let dealt = train.into_iter().map(|start_s| {
            let remote = (draws.bits() % u64::from(remotes.max(1))) as u32;
            Contact { start_s, remote }
        });
        contacts.extend(dealt);
    }
    contacts.sort_unstable();
    contacts
}

fn benign_starts(family: Benign, draws: &mut Draws, count: usize, span_s: f64) -> Vec<i64> {
    let count = count.max(2);
    match family {
        Benign::Diurnal => {
            // Given its number of events, an inhomogeneous Poisson stream consists of independent draws from its
            // intensity.
            let phase = draws.uniform();
            let mut starts = Vec::with_capacity(count);
            while starts.len() < count {
                let at = span_s * draws.uniform();
                let day = (std::f64::consts::TAU * (at / 86_400.0 + phase)).sin();
                if draws.uniform() <= 0.556 + 0.444 * day {
                    starts.push(at as i64);
                }
            }
            starts.sort_unstable();
            starts
        }
        Benign::Human => {
            // Active from midnight to five in the afternoon in local time: shifted so that days can begin anywhere.
            let mut mean_s = 0.7 * span_s / count as f64 / 1.0;
            let mut starts = Vec::new();
            for _ in 0..12 {
                let train = family.train(draws, 4 * count, mean_s, 1);
                let first = train[0];
                starts =
                    train.into_iter().map(|start| start - first).filter(|&start| (start as f64) < span_s).collect();
                let share = starts.len() as f64 / count as f64;
                if (0.8..1.25).contains(&share) {
                    break;
                }
                mean_s *= share.clamp(0.3, 3.0);
            }
            starts
        }
        _ => {
            let train = family.train(draws, count, span_s / count as f64, 1);
            // With heavy tails the mean can be far from the one asked for.
            let (first, last) = (train[0], train[count - 1]);
            // Drawn in whole seconds: stretching must not leave a lattice behind, so the position within each second is
            // drawn again.
            let scale = 0.98 * span_s / (last - first + 1) as f64;
            let begin = 0.02 * span_s * draws.uniform();
            let mut starts: Vec<i64> = train
                .into_iter()
                .map(|start| (begin + ((start - first) as f64 + draws.uniform()) * scale) as i64)
                .map(|start| start.min(span_s as i64 - 1))
                .collect();
            starts.sort_unstable();
            starts
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn benign_traffic_has_the_wanted_number_in_the_wanted_time() {
        for family in Benign::ALL {
            let mut within = 0;
            for seed in 0..40 {
                let mut draws = Draws::seeded(seed);
                let contacts = benign_contacts(family, &mut draws, 200, 86_400.0, 4);
                assert!(contacts.is_sorted());
                assert!(contacts.iter().all(|c| (0..86_400).contains(&c.start_s) && c.remote < 4), "{family:?}");
                within += usize::from((120..320).contains(&contacts.len()));
            }
            assert!(within >= 36, "{family:?} {within} of 40");
        }
    }
}
