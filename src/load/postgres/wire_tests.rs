use super::*;
use crate::clock::{Clock, Offset};
use crate::load::ledger::Ledger;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[tag], &length[..], body].concat()
}

fn row(length: usize) -> Vec<u8> {
    let value = vec![b'x'; length];
    let length = u32::try_from(length).unwrap().to_be_bytes();
    message(b'D', &[&[0, 1], &length[..], &value].concat())
}

fn tag(text: &str) -> Vec<u8> {
    message(b'C', format!("{text}\0").as_bytes())
}

fn error(severity: &str, code: &str) -> Vec<u8> {
    let fields = format!("SFEHLER\0V{severity}\0C{code}\0Mno\0\0");
    message(b'E', fields.as_bytes())
}

fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

/// A connection and the server's end of it.
async fn pair() -> (Wire, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await;
    let server = listener.accept().await.unwrap().0;
    server.set_nodelay(true).unwrap();
    (Wire::new(Stream::Plain(client.unwrap())), server)
}

/// Executes one statement; the server answers with these pieces, and then ends the connection or stays silent.
async fn executed(pieces: Vec<Vec<u8>>, ends: bool) -> (Result<Answer, Class>, bool) {
    let (mut wire, mut server) = pair().await;
    let answering = async {
        let mut asked = BytesMut::new();
        // Bind, Execute and Sync: the last is five bytes.
        while !asked.ends_with(b"S\0\0\0\x04") {
            assert!(server.read_buf(&mut asked).await.unwrap() > 0);
        }
        for piece in pieces {
            server.write_all(&piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        if ends {
            server.shutdown().await.unwrap();
        }
        server
    };
    let ledger = Ledger::new(Clock::starting_at(Instant::now()));
    let ticket = ledger.expect(Offset::ZERO).dispatch(Offset::ZERO);
    let render = |text: &str, into: &mut BytesMut| into.extend_from_slice(text.as_bytes());
    let executing = wire.execute("s", ["7", ""], render, &ticket);
    let (answer, server) = tokio::join!(executing, answering);
    assert!(ticket.was_sent());
    let quiet = wire.is_quiet();
    drop(server);
    (answer, quiet)
}

fn whole(messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
    vec![messages.concat()]
}

fn byte_by_byte(messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
    messages.concat().into_iter().map(|b| vec![b]).collect()
}

#[tokio::test]
async fn rows_are_counted_and_what_a_statement_affected_is_read_whatever_the_pieces() {
    let bound = message(b'2', b"");
    let select = [
        bound.clone(),
        row(3),
        row(70_000),
        row(0),
        tag("SELECT 3"),
        ready(),
    ];
    let update = [
        bound.clone(),
        message(b'N', b"\0"),
        tag("UPDATE 12"),
        ready(),
    ];
    let create = [
        bound,
        message(b'S', b"a\0b\0"),
        tag("CREATE TABLE"),
        ready(),
    ];
    for (messages, rows, affected) in [(&select[..], 3, 3), (&update, 0, 12), (&create, 0, 0)] {
        let expected = Answer {
            rows,
            affected,
            error: None,
        };
        assert_eq!(executed(whole(messages), false).await, (Ok(expected), true));
    }
    let expected = Answer {
        rows: 0,
        affected: 12,
        error: None,
    };
    assert_eq!(
        executed(byte_by_byte(&update), false).await,
        (Ok(expected), true)
    );
}

#[tokio::test]
async fn an_error_is_an_answer_and_a_fatal_one_ends_the_connection() {
    let refused = [error("ERROR", "25006"), ready()];
    let (answer, quiet) = executed(byte_by_byte(&refused), false).await;
    let error_of = |answer: &Answer| answer.error.unwrap();
    let answer = answer.unwrap();
    assert_eq!(error_of(&answer).class, Class::sqlstate("25006"));
    assert!(!error_of(&answer).fatal && quiet);

    for ends in [true, false] {
        // The server does not wait for anybody after it: neither must the client.
        let (answer, _) = executed(whole(&[error("FATAL", "57P01")]), ends).await;
        let answer = answer.unwrap();
        assert_eq!(error_of(&answer).class, Class::sqlstate("57P01"));
        assert!(error_of(&answer).fatal);
    }
    // Rows that came before an error stay counted, and the error stands.
    let halfway = [row(1), error("ERROR", "40001"), ready()];
    let answer = executed(whole(&halfway), false).await.0.unwrap();
    assert_eq!(
        (answer.rows, error_of(&answer).class),
        (1, Class::sqlstate("40001"))
    );
}

#[tokio::test]
async fn a_connection_that_ends_or_breaks_the_protocol_is_told_by_its_class() {
    let cut = [row(2), row(50)[..20].to_vec()];
    assert_eq!(executed(whole(&cut), true).await.0, Err(Class::EndOfStream));
    assert_eq!(executed(vec![], true).await.0, Err(Class::EndOfStream));
    let long = [b"C".to_vec(), (2u32 << 20).to_be_bytes().to_vec()];
    for broken in [
        whole(&[message(b'G', b"\0\0\0")]),
        whole(&[message(b'H', b"\0\0\0")]),
        whole(&[message(b'R', b"\0\0\0\0")]),
        whole(&[b"D\0\0\0\x03".to_vec()]),
        whole(&[b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()]),
        whole(&long),
    ] {
        assert_eq!(
            executed(broken.clone(), false).await.0,
            Err(Class::Protocol),
            "{broken:?}"
        );
    }
}

#[tokio::test]
async fn an_idle_connection_may_be_told_things_but_not_that_it_is_over() {
    let said = [
        message(b'N', b"\0"),
        message(b'S', b"a\0b\0"),
        message(b'A', b"\0\0\0\x01a\0\0"),
    ];
    for (messages, quiet) in [
        (said.concat(), true),
        (said.concat()[..9].to_vec(), true),
        ([said.concat(), error("FATAL", "57P01")].concat(), false),
        (row(1), false),
        (b"?".to_vec(), false),
    ] {
        let (mut wire, mut server) = pair().await;
        assert!(wire.is_quiet());
        server.write_all(&messages).await.unwrap();
        // The runtime has to see it.
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(wire.is_quiet(), quiet, "{messages:?}");
        drop(server);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!wire.is_quiet(), "the server is gone");
    }
}
