//! One request, one answer, and nothing in between that would mend either.

use std::io::{Read, Write};
use std::net::TcpStream;

/// Status line and header fields, and the body, of a GET; `host` where another one than the URL's is to be named.
pub fn get(url: &str, host: Option<&str>) -> (String, String) {
    let (address, path) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    // HTTP/1.0: the body is not in chunks, and ends with the connection.
    let host = host.unwrap_or(address);
    let request = format!("GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}
