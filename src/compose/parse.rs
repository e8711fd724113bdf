//! YAML text into a tree of [`Node`]s: anchors, aliases and merge keys are resolved here.
//!
//! Depth and expanded size are bounded, so that neither deep nesting nor aliases of aliases can
//! exhaust the stack or the memory.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Tag, options};

use super::node::{Directive, Entry, Key, Node, Origin, Scalar, Value};
use crate::source::Mistake;

/// Nested collections, aliases followed. Real files have about ten.
const MAX_DEPTH: usize = 64;
/// Nodes plus bytes of text, aliases expanded.
const MAX_WEIGHT: usize = 16 << 20;

/// Reads every document of a file.
///
/// # Errors
/// The first mistake of syntax, or a budget that was exceeded.
pub fn parse(origin: &Arc<Origin>) -> Result<Vec<Node>, Mistake> {
    let options = options! {
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut tree = Tree {
        origin,
        stack: Vec::new(),
        anchors: HashMap::new(),
        weight: 0,
        documents: Vec::new(),
        tag_span: None,
    };
    for next in Parser::new_from_str_with_options(&origin.file.text, options) {
        let (event, span) = next.map_err(|e| {
            let text = &origin.file.text;
            let at = e.marker().byte_offset().unwrap_or(text.len()).min(text.len());
            let message = e.kind().to_string();
            Mistake::new(&origin.file, at..at, format!("not valid YAML: {message}"))
                .with_help("YAML is indented with spaces; text with `: `, `#` or a leading `*`, `&`, `!`, `@`, `%` needs quotes")
        })?;
        tree.tag_span = span.tag_span().and_then(|s| s.byte_range());
        tree.event(event, span.byte_range().unwrap_or(0..0))?;
    }
    Ok(tree.documents)
}

/// A collection that is not yet closed.
struct Frame {
    span: Range<usize>,
    anchor: usize,
    directive: Directive,
    body: Body,
}

enum Body {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        index: HashSet<String>,
        merges: Vec<Node>,
        pending: Option<Pending>,
    },
}

enum Pending {
    Key(Key),
    Merge,
}

struct Tree<'a> {
    origin: &'a Arc<Origin>,
    stack: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    weight: usize,
    documents: Vec<Node>,
    /// Where the tag of the present event stands.
    tag_span: Option<Range<usize>>,
}

impl Tree<'_> {
    fn event(&mut self, event: Event<'_>, span: Range<usize>) -> Result<(), Mistake> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let (directive, quoted) = self.tag(tag.as_deref(), &span)?;
                let plain = style == ScalarStyle::Plain && !quoted;
                let scalar = Scalar {
                    text: text.into_owned(),
                    plain,
                };
                let mut node = Node::new(Value::Scalar(scalar), span, self.origin);
                node.directive = directive;
                self.complete(node, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                let (directive, _) = self.tag(tag.as_deref(), &span)?;
                self.open(Frame {
                    span,
                    anchor,
                    directive,
                    body: Body::List(Vec::new()),
                })
            }
            Event::MappingStart(_, anchor, tag) => {
                let (directive, _) = self.tag(tag.as_deref(), &span)?;
                let body = Body::Map {
                    entries: Vec::new(),
                    index: HashSet::new(),
                    merges: Vec::new(),
                    pending: None,
                };
                self.open(Frame {
                    span,
                    anchor,
                    directive,
                    body,
                })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(id) => match self.anchors.get(&id) {
                Some(node) => {
                    let node = node.clone();
                    if self.stack.len() + height(&node) > MAX_DEPTH {
                        return Err(self.too_deep(span));
                    }
                    self.spend(&node, &span)?;
                    self.complete(node, 0)
                }
                None => Err(self.wrong(span, "an alias inside the node that it names")),
            },
            Event::UnresolvedAlias(name) => {
                Err(self.wrong(span, format!("`*{name}` names no anchor")))
            }
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd
            | Event::Anchor(..) => Ok(()),
            // Comments, where another dependency turns them on.
            #[allow(unreachable_patterns)]
            _ => Ok(()),
        }
    }

    fn wrong(&self, span: Range<usize>, message: impl Into<String>) -> Mistake {
        Mistake::new(&self.origin.file, span, message)
    }

    fn too_deep(&self, span: Range<usize>) -> Mistake {
        self.wrong(span, format!("nested more than {MAX_DEPTH} levels deep"))
            .with_help("no compose file needs that depth")
    }

    /// What a tag asks for: a directive, and whether the scalar is text whatever it looks like.
    fn tag(&self, tag: Option<&Tag>, span: &Range<usize>) -> Result<(Directive, bool), Mistake> {
        let Some(tag) = tag else {
            return Ok((Directive::Merge, false));
        };
        if let Some(suffix) = tag.core_suffix() {
            return Ok((Directive::Merge, suffix == "str"));
        }
        match (tag.original_parts().0, tag.suffix()) {
            ("!", "reset") => Ok((Directive::Reset, false)),
            ("!", "override") => Ok((Directive::Override, false)),
            _ => Err(self
                .wrong(
                    self.tag_span.clone().unwrap_or_else(|| span.clone()),
                    format!("the tag `{}` is not known", tag.original()),
                )
                .with_help("compose files know `!reset` and `!override`")),
        }
    }

    fn open(&mut self, frame: Frame) -> Result<(), Mistake> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(self.too_deep(frame.span));
        }
        self.stack.push(frame);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Mistake> {
        let Some(frame) = self.stack.pop() else {
            return Ok(());
        };
        let (value, span) = match frame.body {
            Body::List(items) => {
                // A block list is pointed at where its first dash is.
                let start = frame.span.start;
                let dash = self.origin.file.text.as_bytes().get(start) == Some(&b'-');
                let span = if dash {
                    start..start + 1
                } else {
                    frame.span.clone()
                };
                (Value::List(items), span)
            }
            Body::Map {
                mut entries,
                mut index,
                merges,
                ..
            } => {
                for merged in merges {
                    if let Value::Map(more) = merged.value {
                        entries.extend(
                            more.into_iter()
                                .filter(|e| index.insert(e.key.text.clone())),
                        );
                    }
                }
                let span = entries
                    .iter()
                    .find(|e| Arc::ptr_eq(&e.key.origin, self.origin))
                    .map_or(frame.span.clone(), |e| e.key.span.clone());
                (Value::Map(entries), span)
            }
        };
        // An empty collection, or one that was written in brackets, is pointed at where it opens.
        let span = if frame.span.is_empty() {
            span
        } else {
            frame.span
        };
        let mut node = Node::new(value, span, self.origin);
        node.directive = frame.directive;
        self.complete(node, frame.anchor)
    }

    /// Gives a complete node its place: in the open collection, or as a document.
    fn complete(&mut self, mut node: Node, anchor: usize) -> Result<(), Mistake> {
        if matches!(node.value, Value::Scalar(_)) {
            self.spend(&node, &node.span.clone())?;
        }
        if anchor != 0 {
            self.spend(&node, &node.span.clone())?;
            self.anchors.insert(anchor, node.clone());
        }
        let origin = self.origin;
        match self.stack.last_mut().map(|f| &mut f.body) {
            None => self.documents.push(node),
            Some(Body::List(items)) => items.push(node),
            Some(Body::Map {
                pending: pending @ None,
                index,
                ..
            }) => {
                *pending = Some(key(node, index, origin)?);
            }
            Some(Body::Map {
                entries,
                merges,
                pending,
                ..
            }) => match pending.take() {
                Some(Pending::Key(key)) => {
                    if node.span.is_empty() && matches!(node.value, Value::Scalar(_)) {
                        node.span = key.span.clone();
                    }
                    entries.push(Entry { key, value: node });
                }
                Some(Pending::Merge) => merges.extend(merged(node)?),
                None => {}
            },
        }
        Ok(())
    }

    fn spend(&mut self, node: &Node, span: &Range<usize>) -> Result<(), Mistake> {
        self.weight = self.weight.saturating_add(weight(node));
        if self.weight > MAX_WEIGHT {
            return Err(self
                .wrong(
                    span.clone(),
                    "the file is too large once its aliases are expanded",
                )
                .with_help("aliases of aliases multiply: write them out, or use fewer"));
        }
        Ok(())
    }
}

fn key(node: Node, index: &mut HashSet<String>, origin: &Arc<Origin>) -> Result<Pending, Mistake> {
    let Value::Scalar(scalar) = node.value else {
        return Err(Mistake::new(&origin.file, node.span, "a key must be text")
            .with_help("braces or brackets at the start of a key need quotes"));
    };
    if scalar.plain && scalar.text == "<<" {
        return Ok(Pending::Merge);
    }
    if !index.insert(scalar.text.clone()) {
        let message = format!("the key `{}` is written twice", scalar.text);
        return Err(Mistake::new(&origin.file, node.span, message)
            .with_help("keep one of the two: the other would be lost"));
    }
    Ok(Pending::Key(Key {
        text: scalar.text,
        span: node.span,
        origin: Arc::clone(origin),
    }))
}

/// The mappings that a `<<` brings in; earlier ones win.
fn merged(node: Node) -> Result<Vec<Node>, Mistake> {
    let list = match node.value {
        Value::List(items) => items,
        Value::Map(_) | Value::Scalar(_) => vec![node],
    };
    match list.iter().find(|n| n.entries().is_none()) {
        None => Ok(list),
        Some(wrong) => Err(wrong
            .mistake(format!("`<<` merges mappings, not {}", wrong.kind()))
            .with_help("write `<<: *anchor` with the anchor of a mapping")),
    }
}

fn weight(node: &Node) -> usize {
    match &node.value {
        Value::Scalar(s) => 1 + s.text.len(),
        Value::List(items) => 1 + items.iter().map(weight).sum::<usize>(),
        Value::Map(entries) => {
            1 + entries
                .iter()
                .map(|e| e.key.text.len() + weight(&e.value))
                .sum::<usize>()
        }
    }
}

fn height(node: &Node) -> usize {
    match &node.value {
        Value::Scalar(_) => 0,
        Value::List(items) => 1 + items.iter().map(height).max().unwrap_or(0),
        Value::Map(entries) => 1 + entries.iter().map(|e| height(&e.value)).max().unwrap_or(0),
    }
}
