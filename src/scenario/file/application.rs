//! Faults that an application is asked for, as they are typed.

use super::super::at::At;
use super::{DurationText, ExpectTable, OneOrMany, TargetKey};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// `http = { … }` of a fault: a request that breaks, and others that heal and look.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct HttpFaultTable {
    /// From within whose network it is sent. Default: from this machine.
    pub target: Option<At<TargetKey>>,
    /// Absolute URL; with a target as seen from there: `http://127.0.0.1:3000/`.
    pub url: At<String>,
    /// Method. Default: `POST`.
    pub method: Option<At<String>>,
    /// Header fields.
    #[serde(default)]
    pub headers: BTreeMap<String, At<String>>,
    /// Request body.
    pub body: Option<At<String>>,
    /// What a good answer is.
    pub expect: Option<At<ExpectTable>>,
    /// For all of it. Default: `5s`.
    pub timeout: Option<At<DurationText>>,
    /// The request that heals. Default: nothing is healed.
    pub heal: Option<At<CallTable>>,
    /// A request whose answer shows the effect. Default: the answer to the first one stands for it.
    pub confirm: Option<At<CallTable>>,
}

/// `heal = { … }` and `confirm = { … }` of an `http` fault.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct CallTable {
    /// Absolute URL. Default: that of the fault.
    pub url: Option<At<String>>,
    /// Method. Default: `POST`, for `confirm` `GET`.
    pub method: Option<At<String>>,
    /// Header fields, above those of the fault.
    #[serde(default)]
    pub headers: BTreeMap<String, At<String>>,
    /// Request body. Default: none.
    pub body: Option<At<String>>,
    /// What a good answer is.
    pub expect: Option<At<ExpectTable>>,
    /// For all of it. Default: that of the fault.
    pub timeout: Option<At<DurationText>>,
}

/// `exec = { … }`: a program in a container. No shell, unless it is the program: ["sh", "-c", "…"].
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct ExecTable {
    /// Whom it hits.
    pub target: At<TargetKey>,
    /// Program and arguments, as a list: ["touch", "/tmp/broken"].
    pub command: At<Vec<At<String>>>,
    /// Program and arguments that heal. Default: nothing is healed.
    pub heal: Option<At<Vec<At<String>>>>,
    /// Program and arguments that end with 0 while the effect shows. Default: the first one's exit code 0 stands for it.
    pub confirm: Option<At<Vec<At<String>>>>,
    /// For each of them. Default: `10s`.
    pub timeout: Option<At<DurationText>>,
}

/// `command = { … }`: a program on this machine. No shell, unless it is the program.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct RunProgramTable {
    /// Program and arguments, as a list; a program with a slash is looked for from the scenario's folder.
    pub run: At<Vec<At<String>>>,
    /// Program and arguments that heal. Default: nothing is healed.
    pub heal: Option<At<Vec<At<String>>>>,
    /// Program and arguments that end with 0 while the effect shows. Default: the first one's exit code 0 stands for it.
    pub confirm: Option<At<Vec<At<String>>>>,
    /// For each of them. Default: `10s`.
    pub timeout: Option<At<DurationText>>,
}

/// `sql = { … }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct SqlTable {
    /// `postgres://user:password@host:port/database`; `${NAME}` and `${NAME:-default}` come from the environment.
    pub dsn: At<String>,
    /// Statements that break, in one session: one, or a list.
    pub inject: At<OneOrMany>,
    /// Statements that heal, in a session of their own: one, or a list.
    pub heal: Option<At<OneOrMany>>,
    /// A query whose first column is true while the effect shows. Default: rows or locks are counted.
    pub confirm: Option<At<String>>,
    /// The session stays open until the heal, with its transaction and its locks. Default: false.
    #[serde(default)]
    pub hold: bool,
    /// For each statement. Default: `10s`.
    pub timeout: Option<At<DurationText>>,
}
