//! What a Dockerfile builds on: the images its FROM lines name, with arguments substituted.

use std::collections::BTreeMap;

/// Images that the FROM lines name: neither `scratch` nor an earlier stage. A name that holds an argument without
/// a value is left out: the builder reports it better.
pub fn bases(text: &str, args: &BTreeMap<String, String>) -> Vec<String> {
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    let mut stages: Vec<String> = Vec::new();
    let mut bases: Vec<String> = Vec::new();
    let mut before_from = true;
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
                let default = default.map(|d| d.trim_matches(['"', '\'']).to_owned());
                if let Some(value) = args.get(name).cloned().or(default) {
                    values.insert(name.to_owned(), value);
                }
            }
        } else if instruction.eq_ignore_ascii_case("from") {
            before_from = false;
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
        bases(text, &[("VERSION".to_owned(), "12".to_owned())].into())
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
