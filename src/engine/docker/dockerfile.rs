//! What a Dockerfile builds on: the images its FROM lines name, with arguments substituted.

use std::collections::BTreeMap;

/// Images that the FROM lines name: neither `scratch` nor an earlier stage. A name that holds an argument without
/// a value is left out: the builder reports it better. Stages after the `target` are not built.
pub fn bases(text: &str, args: &BTreeMap<String, String>, target: Option<&str>) -> Vec<String> {
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    let mut stages: Vec<String> = Vec::new();
    let mut bases: Vec<String> = Vec::new();
    let mut before_from = true;
    let mut number = 0_usize;
    for line in instructions(text) {
        let mut words = line.split_whitespace();
        let Some(instruction) = words.next() else {
            continue;
        };
        if instruction.eq_ignore_ascii_case("arg") && before_from {
            for word in words {
                let (name, default) = word
                    .split_once('=')
                    .map_or((word, None), |(n, d)| (n, Some(d)));
                // A default may hold arguments that stand above it.
                let default = default.and_then(|d| substitute(d, &values));
                if let Some(value) = args.get(name).cloned().or(default) {
                    values.insert(name.to_owned(), value);
                }
            }
        } else if instruction.eq_ignore_ascii_case("from") {
            before_from = false;
            let target = target.filter(|t| !t.is_empty());
            let reached = target.is_some_and(|target| {
                let named = stages.last().is_some_and(|s| *s == target.to_lowercase());
                named || (number > 0 && target.parse() == Ok(number - 1))
            });
            if reached {
                break;
            }
            number += 1;
            let mut words = words.skip_while(|word| word.starts_with("--"));
            let Some(image) = words.next().and_then(|word| substitute(word, &values)) else {
                continue;
            };
            let known = image == "scratch"
                || bases.contains(&image)
                || stages.contains(&image.to_lowercase());
            // Only now: a stage may be named like the image it is made from.
            if words
                .next()
                .is_some_and(|word| word.eq_ignore_ascii_case("as"))
            {
                stages.extend(words.next().map(str::to_lowercase));
            }
            if !known {
                bases.push(image);
            }
        }
    }
    bases
}

/// Lines with continuations joined, comments and blanks left out.
fn instructions(text: &str) -> Vec<String> {
    let mut joined = Vec::new();
    let mut current = String::new();
    for line in text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        match line.strip_suffix('\\') {
            Some(part) => {
                current.push_str(part);
                current.push(' ');
            }
            None => {
                current.push_str(line);
                joined.push(std::mem::take(&mut current));
            }
        }
    }
    if !current.is_empty() {
        joined.push(current);
    }
    joined
}

/// `$X`, `${X}` and `${X:-default}`.
fn substitute(word: &str, values: &BTreeMap<String, String>) -> Option<String> {
    let mut out = String::new();
    let mut rest = word.trim_matches(['"', '\'']);
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(braced) = rest.strip_prefix('{') {
            let (inside, after) = braced.split_once('}')?;
            let (name, default) = inside
                .split_once(":-")
                .map_or((inside, None), |(n, d)| (n, Some(d)));
            out.push_str(
                values
                    .get(name)
                    .map(String::as_str)
                    .filter(|v| !v.is_empty())
                    .or(default)?,
            );
            rest = after;
        } else {
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            out.push_str(values.get(&rest[..end])?);
            rest = &rest[end..];
        }
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bases_of(text: &str) -> Vec<String> {
        let args = [("VERSION".to_owned(), "12".to_owned())].into();
        bases(text, &args, None)
    }

    #[test]
    fn stages_and_scratch_are_not_bases() {
        let text = "FROM debian:bookworm-slim AS Build\nRUN true\nFROM scratch\nCOPY --from=build /a /a\nFROM build";
        assert_eq!(bases_of(text), ["debian:bookworm-slim"]);
    }

    #[test]
    fn arguments_are_substituted_and_a_given_one_wins_over_the_default() {
        let text = "ARG VERSION=11\nARG NAME=debian\n# comment\nFROM --platform=linux/amd64 \\\n  ${NAME}:${VERSION}${SUFFIX:--slim} as x";
        assert_eq!(bases_of(text), ["debian:12-slim"]);
        assert_eq!(bases_of("FROM $UNKNOWN\n"), Vec::<String>::new());
    }

    #[test]
    fn a_default_of_an_argument_may_hold_another_argument() {
        let text = "ARG RELEASE=bookworm\nARG BASE=\"debian:${RELEASE}-slim\"\nFROM $BASE";
        assert_eq!(bases_of(text), ["debian:bookworm-slim"]);
    }

    #[test]
    fn stages_after_the_target_are_not_built_so_their_bases_are_not_needed() {
        let text = "FROM debian AS a\nFROM a AS Tested\nFROM gone/registry:1 AS c";
        let of = |target| bases(text, &BTreeMap::new(), target);
        assert_eq!(of(Some("tested")), ["debian"]);
        assert_eq!(of(None), ["debian", "gone/registry:1"]);
        assert_eq!(
            of(Some("0")),
            ["debian"],
            "a stage may be named by its number"
        );
        assert_eq!(
            of(Some("nonsense")).len(),
            2,
            "the builder says what is wrong"
        );
    }

    #[test]
    fn a_stage_that_is_named_like_its_base_does_not_hide_it() {
        assert_eq!(bases_of("FROM nginx AS nginx"), ["nginx"]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".{0,200}") {
            let _ = bases_of(&text);
            let _ = bases_of(&format!("FROM {text}"));
        }
    }
}
