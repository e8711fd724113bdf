//! Faults that are asked for: by a request, by a program, by a statement.

use super::super::at::{At, OneOf};
use super::super::check::Check;
use super::super::file::{
    CallTable, DurationText, ExecTable, ExpectTable, FaultTable, HttpFaultTable, OneOrMany,
    RunProgramTable, SqlTable,
};
use super::super::http::{absolute, headers, method, status};
use super::super::postgres::dsn;
use super::super::{Call, FaultKind, HttpFault, Program, SqlFault};
use super::Breakage;
use super::target::target;
use std::collections::BTreeMap;
use std::time::Duration;

const REQUEST: Duration = Duration::from_secs(5);
const PROGRAM: Duration = Duration::from_secs(10);

/// Reads the kind if it is one of these.
pub fn read(check: &mut Check<'_>, fault: &FaultTable) -> Option<Breakage> {
    if let Some(table) = &fault.http {
        return http(check, table);
    }
    if let Some(table) = &fault.exec {
        return exec(check, table);
    }
    if let Some(table) = &fault.command {
        return command(check, table);
    }
    sql(check, fault.sql.as_ref()?)
}

/// A given thing that is read, or nothing where it is not given; the outer `None` is a mistake.
#[expect(clippy::option_option, reason = "wrong, absent and given differ")]
fn optional<T, R>(given: Option<&T>, read: impl FnOnce(&T) -> Option<R>) -> Option<Option<R>> {
    match given {
        None => Some(None),
        Some(given) => read(given).map(Some),
    }
}

fn timeout(
    check: &mut Check<'_>,
    text: Option<&At<DurationText>>,
    default: Duration,
) -> Option<Duration> {
    optional(text, |text| check.positive("timeout", Some(text))).map(|t| t.unwrap_or(default))
}

struct Parts<'t> {
    url: &'t At<String>,
    method: Option<&'t At<String>>,
    usual: &'static str,
    headers: Vec<&'t BTreeMap<String, At<String>>>,
    body: Option<&'t At<String>>,
    expect: Option<&'t At<ExpectTable>>,
    timeout: Option<Duration>,
}

fn call(check: &mut Check<'_>, parts: &Parts<'_>) -> Option<Call> {
    let url = absolute(check, parts.url, None);
    let method = method(check, parts.method, parts.usual);
    let headers = headers(check, &parts.headers);
    let expect_status = status(check, parts.expect.and_then(|e| e.status.as_ref()));
    Some(Call {
        method: method?,
        url: url?,
        headers: headers?,
        body: parts.body.map(|b| b.value.clone()),
        expect_status: expect_status?,
        expect_body: parts.expect.and_then(|e| e.body.clone()),
        timeout: parts.timeout?,
    })
}

fn http(check: &mut Check<'_>, table: &HttpFaultTable) -> Option<Breakage> {
    let target = optional(table.target.as_ref(), |t| target(check, t));
    let limit = timeout(check, table.timeout.as_ref(), REQUEST);
    let inject = call(
        check,
        &Parts {
            url: &table.url,
            method: table.method.as_ref(),
            usual: "POST",
            headers: vec![&table.headers],
            body: table.body.as_ref(),
            expect: table.expect.as_ref(),
            timeout: limit,
        },
    );
    let mut further = |given: Option<&At<CallTable>>, usual| {
        optional(given, |given| {
            let timeout = timeout(check, given.timeout.as_ref(), limit.unwrap_or(REQUEST));
            let parts = Parts {
                url: given.url.as_ref().unwrap_or(&table.url),
                method: given.method.as_ref(),
                usual,
                headers: vec![&table.headers, &given.headers],
                body: given.body.as_ref(),
                expect: given.expect.as_ref(),
                timeout,
            };
            call(check, &parts)
        })
    };
    let heal = further(table.heal.as_ref(), "POST");
    let confirm = further(table.confirm.as_ref(), "GET");
    let kind = FaultKind::Http(HttpFault {
        inject: inject?,
        heal: heal?,
        confirm: confirm?,
    });
    Some(Breakage::of(kind, target?))
}

fn exec(check: &mut Check<'_>, table: &ExecTable) -> Option<Breakage> {
    let target = target(check, &table.target);
    let inject = arguments(check, "command", &table.command);
    let heal = optional(table.heal.as_ref(), |l| arguments(check, "heal", l));
    let confirm = optional(table.confirm.as_ref(), |l| arguments(check, "confirm", l));
    let timeout = timeout(check, table.timeout.as_ref(), PROGRAM);
    let kind = FaultKind::Exec(Program {
        inject: inject?,
        heal: heal?,
        confirm: confirm?,
        timeout: timeout?,
    });
    Some(Breakage::of(kind, Some(target?)))
}

fn command(check: &mut Check<'_>, table: &RunProgramTable) -> Option<Breakage> {
    let inject = local(check, "run", &table.run);
    let heal = optional(table.heal.as_ref(), |l| local(check, "heal", l));
    let confirm = optional(table.confirm.as_ref(), |l| local(check, "confirm", l));
    let timeout = timeout(check, table.timeout.as_ref(), PROGRAM);
    let kind = FaultKind::Command(Program {
        inject: inject?,
        heal: heal?,
        confirm: confirm?,
        timeout: timeout?,
    });
    Some(Breakage::of(kind, None))
}

fn arguments(check: &mut Check<'_>, key: &str, list: &At<Vec<At<String>>>) -> Option<Vec<String>> {
    let Some(program) = list.first() else {
        check.wrong(
            &list.span,
            format!("`{key}` names no program"),
            "program and arguments, as a list: [\"touch\", \"/tmp/broken\"]",
        );
        return None;
    };
    if program.trim().is_empty() {
        check.wrong(
            &program.span,
            format!("`{key}` names no program"),
            "the first of the list is the program",
        );
        return None;
    }
    if let Some(bad) = list.iter().find(|argument| argument.contains('\0')) {
        check.wrong(
            &bad.span,
            "an argument holds a NUL",
            "no program can be given that",
        );
        return None;
    }
    Some(list.iter().map(|argument| argument.value.clone()).collect())
}

/// A program on this machine: with a slash in its name it is a file, looked for from the scenario's folder.
fn local(check: &mut Check<'_>, key: &str, list: &At<Vec<At<String>>>) -> Option<Vec<String>> {
    let mut found = arguments(check, key, list)?;
    let (program, written) = (found.first_mut()?, list.first()?);
    if !program.contains('/') {
        return Some(found);
    }
    let path = check.path(program);
    let shown = path.display().to_string();
    match path.to_str() {
        Some(text) if path.is_file() => {
            *program = text.to_owned();
            Some(found)
        }
        Some(_) | None => {
            let message = format!("there is no program `{}`", written.escape_debug());
            let help = format!("paths are relative to the scenario's folder; looked at {shown}");
            check.wrong(&written.span, message, help);
            None
        }
    }
}

fn sql(check: &mut Check<'_>, table: &SqlTable) -> Option<Breakage> {
    let dsn = dsn(check, &table.dsn);
    let inject = statements(check, "inject", &table.inject);
    let heal = optional(table.heal.as_ref(), |s| statements(check, "heal", s));
    let confirm = optional(table.confirm.as_ref(), |query| {
        statement(check, "confirm", query).then(|| query.value.clone())
    });
    let timeout = timeout(check, table.timeout.as_ref(), PROGRAM);
    let kind = FaultKind::Sql(SqlFault {
        dsn: dsn?,
        inject: inject?,
        heal: heal?.unwrap_or_default(),
        confirm: confirm?,
        hold: table.hold,
        timeout: timeout?,
    });
    Some(Breakage::of(kind, None))
}

fn statements(check: &mut Check<'_>, key: &str, given: &At<OneOrMany>) -> Option<Vec<String>> {
    let listed: Vec<At<String>> = match &given.value {
        OneOf::One(one) => vec![At {
            span: given.span.clone(),
            value: one.clone(),
        }],
        OneOf::Many(many) => many.clone(),
        OneOf::Table(never) => match *never {},
    };
    if listed.is_empty() {
        check.wrong(
            &given.span,
            format!("`{key}` holds no statement"),
            "give an SQL statement, or a list of them",
        );
        return None;
    }
    let mut good = true;
    for one in &listed {
        good &= statement(check, key, one);
    }
    good.then(|| listed.into_iter().map(|one| one.value).collect())
}

fn statement(check: &mut Check<'_>, key: &str, text: &At<String>) -> bool {
    let good = !text.trim().is_empty() && !text.contains('\0');
    if !good {
        check.wrong(
            &text.span,
            format!("a statement of `{key}` is empty or holds a NUL"),
            "give an SQL statement: \"LOCK TABLE items\"",
        );
    }
    good
}
