//! The life of a sidecar: orders in, answers out, and everything undone at the end, however it ends.

use super::deeds::{self, Deeds};
use super::net;
use super::protocol::{Answer, Done, Leftover, Request};
use std::io::{BufRead, BufReader, Read, Write};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Orders that wait to be carried out; more are left in the pipe.
const WAITING: usize = 16;

/// Carries out what `input` says until it ends or a signal says so, then undoes everything.
///
/// # Errors
/// In words: no signals, or something could not be undone.
pub async fn serve(
    input: impl Read + Send + 'static,
    mut output: impl Write,
) -> Result<(), String> {
    let end = CancellationToken::new();
    // As PID 1 a process is deaf to signals for which it has no handler: they come before anybody relies on them.
    listen(&end)?;
    let mut lines = lines(input, end.clone()).map_err(|e| format!("the sidecar's input: {e}"))?;
    let mut deeds = Deeds::default();
    let ready = Answer {
        id: 0,
        result: Ok(Done::default()),
    };
    let mut told = tell(&mut output, &ready);
    while told.is_ok() {
        let line = tokio::select! {
            biased;
            () = end.cancelled() => break,
            line = lines.recv() => line,
        };
        let Some(line) = line else { break };
        let answer = answer(&line, &mut deeds, &end).await;
        told = tell(&mut output, &answer);
    }
    // Once more: what holds a thing for a moment is often gone the next one.
    match deeds.mend().await {
        Ok(_) => Ok(()),
        Err(_) => deeds.mend().await.map(drop),
    }
}

/// Undoes what a sidecar left that is gone, and says so.
///
/// # Errors
/// Something is left (the answer says what), or nobody reads the answer.
pub async fn mend(leftover: &str, mut output: impl Write) -> Result<(), String> {
    let result = match serde_json::from_str::<Leftover>(leftover) {
        Ok(leftover) => deeds::mend_leftover(&leftover).await,
        Err(e) => Err(format!("not a leftover: {e}")),
    };
    let failed = result.as_ref().err().cloned();
    let told = tell(&mut output, &Answer { id: 0, result });
    failed.map_or(told.map_err(|e| format!("the answer: {e}")), Err)
}

/// Says what the kernel can do here.
///
/// # Errors
/// Nobody reads the answer.
pub fn probe(mut output: impl Write) -> Result<(), String> {
    let result = Ok(net::abilities());
    tell(&mut output, &Answer { id: 0, result }).map_err(|e| format!("the answer: {e}"))
}

fn listen(end: &CancellationToken) -> Result<(), String> {
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut signal = signal(kind).map_err(|e| format!("a handler of signals: {e}"))?;
        let end = end.clone();
        tokio::spawn(async move {
            signal.recv().await;
            end.cancel();
        });
    }
    Ok(())
}

/// The lines of the input, read by a thread that ends with the process. Their end is the end of everything: what
/// was ordered just before it would be undone at once.
fn lines(
    input: impl Read + Send + 'static,
    end: CancellationToken,
) -> std::io::Result<mpsc::Receiver<Vec<u8>>> {
    let (into, lines) = mpsc::channel(WAITING);
    let thread = std::thread::Builder::new().name("input".to_owned());
    thread.spawn(move || {
        for line in BufReader::new(input).split(b'\n') {
            let Ok(line) = line else { break };
            if into.blocking_send(line).is_err() {
                break;
            }
        }
        end.cancel();
    })?;
    Ok(lines)
}

async fn answer(line: &[u8], deeds: &mut Deeds, end: &CancellationToken) -> Answer {
    match serde_json::from_slice::<Request>(line) {
        Ok(Request { id, order }) => Answer {
            id,
            result: deeds.carry_out(order, end).await,
        },
        Err(e) => Answer {
            id: 0,
            result: Err(format!("not a request: {e}")),
        },
    }
}

fn tell(output: &mut impl Write, answer: &Answer) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    output.write_all(&line)?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::super::protocol::Order;
    use super::*;

    async fn answers(lines: &str) -> Vec<Answer> {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(lines.as_bytes()).unwrap();
        let mut output = Vec::new();
        let count = lines.lines().count();
        // The input stays open until everything is answered: its end would cut the orders short.
        let (out_reader, out_writer) = std::io::pipe().unwrap();
        let collect = std::thread::spawn(move || {
            let read: Vec<String> = BufReader::new(out_reader)
                .lines()
                .take(count + 1)
                .map(Result::unwrap)
                .collect();
            drop(writer);
            read
        });
        serve(reader, out_writer).await.unwrap();
        output.extend(collect.join().unwrap());
        output
            .iter()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect()
    }

    #[tokio::test]
    async fn it_says_that_it_is_ready_and_answers_by_the_request_s_number() {
        let request = Request {
            id: 7,
            order: Order::Mend(None),
        };
        let line = serde_json::to_string(&request).unwrap();
        let answers = answers(&format!("{line}\n")).await;
        assert_eq!((answers[0].id, answers[0].result.is_ok()), (0, true));
        assert_eq!((answers[1].id, answers[1].result.is_ok()), (7, true));
    }

    #[tokio::test]
    async fn nonsense_is_answered_and_does_not_end_it() {
        let answers = answers("nonsense\n\u{0}\n{\"id\":3,\"order\":\"look\"}\n").await;
        let ids: Vec<_> = answers.iter().map(|a| (a.id, a.result.is_ok())).collect();
        assert_eq!(ids, [(0, true), (0, false), (0, false), (3, false)]);
    }

    #[tokio::test]
    async fn a_leftover_that_is_none_is_an_error_and_still_an_answer() {
        let mut output = Vec::new();
        assert!(mend("nonsense", &mut output).await.is_err());
        let answer: Answer = serde_json::from_slice(&output).unwrap();
        assert!(answer.result.is_err());
    }
}
