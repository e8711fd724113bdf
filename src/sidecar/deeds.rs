//! Orders, carried out; and what lasts of them, until it is undone.

use super::act::Act;
use super::net::PacketRules;
use super::protocol::{Done, Leftover, Order};
use super::{disk, http, net, process, role, stress};
use std::collections::BTreeMap;
use tokio_util::sync::CancellationToken;

/// Kinds of what lasts, in the order in which it is undone: packets first, so that the rest is heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Frozen,
    Stressed,
    Filled,
}

/// What was done and lasts.
#[derive(Default)]
pub struct Deeds {
    rules: Option<PacketRules>,
    others: BTreeMap<Kind, Box<dyn Act>>,
    /// What was done last and is over: connections that were reset.
    over: Option<Done>,
}

impl Deeds {
    /// Carries an order out. What waits for somebody else is given up when `end` comes.
    ///
    /// # Errors
    /// In words that name the subject.
    pub async fn carry_out(
        &mut self,
        order: Order,
        end: &CancellationToken,
    ) -> Result<Done, String> {
        match order {
            Order::Rules(rules) => {
                let place = match &mut self.rules {
                    Some(place) => place,
                    none => none.insert(PacketRules::new()?),
                };
                place.place(&rules)
            }
            Order::ResetConnections(of) => {
                let done = net::reset(&of)?;
                self.over = Some(done.clone());
                Ok(done)
            }
            Order::Freeze(of) => {
                self.end(Kind::Frozen).await?;
                let begun = process::freeze(of).await?;
                Ok(self.begin(Kind::Frozen, begun))
            }
            Order::Fill(fill) => {
                self.end(Kind::Filled).await?;
                let begun = disk::fill(fill).await?;
                Ok(self.begin(Kind::Filled, begun))
            }
            Order::Stress(stress) => {
                self.end(Kind::Stressed).await?;
                let begun = stress::begin(stress).await?;
                Ok(self.begin(Kind::Stressed, begun))
            }
            Order::Http(call) => unless(end, http::call(call)).await,
            Order::Role { dsn } => unless(end, role::ask(&dsn)).await,
            Order::Look => self.look().await,
            Order::Mend(None) => self.mend().await,
            Order::Mend(Some(leftover)) => {
                let own = self.mend().await;
                let left = mend_leftover(&leftover).await;
                own.and(left)
            }
            Order::Probe => Ok(net::abilities()),
        }
    }

    fn begin(&mut self, kind: Kind, (act, done): (Box<dyn Act>, Done)) -> Done {
        self.others.insert(kind, act);
        done
    }

    /// Undoes one kind, for what replaces it.
    async fn end(&mut self, kind: Kind) -> Result<(), String> {
        if let Some(act) = self.others.get_mut(&kind) {
            act.mend().await?;
            self.others.remove(&kind);
        }
        Ok(())
    }

    fn acts(&mut self) -> impl Iterator<Item = &mut (dyn Act + 'static)> {
        let rules = self.rules.iter_mut().map(|r| r as &mut (dyn Act + 'static));
        rules.chain(self.others.values_mut().map(AsMut::as_mut))
    }

    /// Looks at everything that lasts.
    async fn look(&mut self) -> Result<Done, String> {
        let mut all = Vec::new();
        for act in self.acts() {
            all.push(act.look().await?);
        }
        // Connections that were reset were looked for at once; there is nothing more to see of them.
        all.extend(self.over.clone());
        together(all).ok_or_else(|| "nothing was done that could be looked at".to_owned())
    }

    /// Undoes everything: goes on after what fails, which is undone again the next time.
    ///
    /// # Errors
    /// What could not be undone.
    pub async fn mend(&mut self) -> Result<Done, String> {
        let mut all = Vec::new();
        let mut failures = Vec::new();
        for act in self.acts() {
            match act.mend().await {
                Ok(done) => all.push(done),
                Err(e) => failures.push(e),
            }
        }
        self.over = None;
        if !failures.is_empty() {
            return Err(failures.join("; "));
        }
        self.rules = None;
        self.others.clear();
        Ok(together(all).unwrap_or_else(|| Done {
            seen: "nothing is left: nothing was done".to_owned(),
            ..Done::default()
        }))
    }
}

/// Undoes what a sidecar left that is gone.
///
/// # Errors
/// Something is left.
pub async fn mend_leftover(leftover: &Leftover) -> Result<Done, String> {
    match leftover {
        Leftover::Rules => net::mend_leftover(),
        Leftover::Frozen(of) => process::mend_leftover(of).await,
        Leftover::Filled(fill) => disk::mend_leftover(fill).await,
    }
}

async fn unless<T>(
    end: &CancellationToken,
    doing: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    end.run_until_cancelled(doing)
        .await
        .unwrap_or_else(|| Err("given up: the sidecar was told to end".to_owned()))
}

/// One answer for all: there is an effect only where each has one.
fn together(all: Vec<Done>) -> Option<Done> {
    all.into_iter().reduce(|a, b| {
        let joined = |a: &str, b: &str| {
            let parts: Vec<&str> = [a, b].into_iter().filter(|t| !t.is_empty()).collect();
            parts.join("; ")
        };
        Done {
            from_ns: a.from_ns.min(b.from_ns),
            until_ns: a.until_ns.max(b.until_ns),
            mechanism: joined(&a.mechanism, &b.mechanism),
            seen: joined(&a.seen, &b.seen),
            count: a.count.min(b.count),
            abilities: a.abilities.or(b.abilities),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    struct Stubborn(Arc<AtomicU32>, u32);

    #[async_trait]
    impl Act for Stubborn {
        async fn look(&mut self) -> Result<Done, String> {
            Ok(Done {
                count: u64::from(self.1),
                seen: format!("{}", self.1),
                ..Done::default()
            })
        }
        async fn mend(&mut self) -> Result<Done, String> {
            match self.0.fetch_add(1, Relaxed) {
                n if n < self.1 => Err("stuck".to_owned()),
                _ => Ok(Done::default()),
            }
        }
    }

    #[tokio::test]
    async fn what_cannot_be_undone_does_not_keep_the_rest_from_it_and_is_tried_again() {
        let tries = Arc::new(AtomicU32::new(0));
        let easy = Arc::new(AtomicU32::new(0));
        let mut deeds = Deeds::default();
        let act = |n, tries: &Arc<_>| Box::new(Stubborn(Arc::clone(tries), n)) as Box<dyn Act>;
        deeds.others.insert(Kind::Frozen, act(1, &tries));
        deeds.others.insert(Kind::Filled, act(0, &easy));
        assert_eq!(deeds.mend().await, Err("stuck".to_owned()));
        assert_eq!(easy.load(Relaxed), 1);
        assert!(deeds.mend().await.is_ok());
        assert!(deeds.look().await.is_err(), "nothing is left to look at");
        assert!(deeds.mend().await.is_ok(), "undoing nothing is fine");
    }

    #[tokio::test]
    async fn an_effect_counts_only_where_each_has_one() {
        let mut deeds = Deeds::default();
        let none = Arc::default();
        let act = |n| Box::new(Stubborn(Arc::clone(&none), n)) as Box<dyn Act>;
        deeds.others.insert(Kind::Frozen, act(0));
        deeds.others.insert(Kind::Filled, act(5));
        let looked = deeds.look().await.unwrap();
        assert_eq!((looked.count, looked.seen.as_str()), (0, "0; 5"));
    }
}
