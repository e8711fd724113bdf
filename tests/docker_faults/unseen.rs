//! Faults that have no effect prove nothing.

use crate::edges::{fault, notes};
use crate::ground::GROUND;

#[test]
fn what_no_packet_met_and_what_no_process_felt_is_inconclusive() {
    let ran = &GROUND.unseen;
    assert_eq!(ran.code, Some(4));
    assert_eq!(ran.json()["verdict"], "inconclusive");
    let reasons = ran.json()["verdict_reasons"].to_string();
    // Those two never talk to each other.
    let strangers = fault(ran, "strangers");
    assert_eq!(strangers["confirmed"], false);
    assert_eq!(strangers["heal_confirmed"], true, "{strangers:#}");
    assert!(
        reasons.contains("fault strangers could not be confirmed"),
        "{reasons}"
    );
    let nobody = fault(ran, "nobody");
    assert_eq!(nobody["confirmed"], false);
    let said = notes(nobody).join("\n");
    assert!(said.contains("no-such-process"), "{said}");
    assert!(reasons.contains("nobody"), "{reasons}");
    assert_eq!(ran.load("status1")["failed"], 0);
}
