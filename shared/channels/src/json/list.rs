//! Platforms' lists: batches, pages, pushes. They are read item by item, so that an item that breaks a bound, or the rules
//! of JSON, costs the others nothing. A body may fail to be the expected list: it may be cut at its end, have a tail, hold
//! another list, or have an object on each line. Its complete items are still read.

use super::{Error, measure, parse_lenient};
use crate::kit::{Odd, Refusal};
use serde_json::Value;

/// The most items of a list.
const MAX_ITEMS: usize = 4_096;
/// The most values of an item.
const MAX_VALUES: usize = super::MAX_VALUES;
/// The number of pieces that are put together to find an item again after one that has lost its end.
const TRIES: usize = 8;
/// The number of brackets that are tried as the end of such a list.
const CLOSES: usize = 32;

/// In a path: any name.
pub(crate) const ANY: &str = "*";

/// The parts of a body that holds a list.
pub(crate) struct List<'a> {
    body: &'a [u8],
    path: &'static [&'static str],
    /// The text around the list, with an empty list in its place.
    pub(crate) outer: Value,
    items: Option<Vec<Result<Value, Error>>>,
}

/// Reads the list in a body under the names of `path`.
///
/// # Errors
/// The body breaks a bound, or the text around the list is not JSON.
pub(crate) fn list<'a>(body: &'a [u8], max_bytes: usize, path: &'static [&'static str]) -> Result<List<'a>, Error> {
    list_of(body, max_bytes, path, MAX_VALUES)
}

/// The same, for items of up to a number of values.
pub(crate) fn list_of<'a>(
    body: &'a [u8],
    max_bytes: usize,
    path: &'static [&'static str],
    max_values: usize,
) -> Result<List<'a>, Error> {
    if body.len() > max_bytes {
        return Err(Error::TooLong);
    }
    let read = |part: &[u8]| measure(part, max_values).and_then(|()| parse_lenient(part));
    let (outer, items) = match read(body) {
        Ok(mut outer) => {
            let mut items = take(&mut outer, path);
            if path.is_empty()
                && let Some([Value::Array(inner)]) = items.as_deref_mut()
            {
                items = Some(std::mem::take(inner));
            }
            (outer, items.map(|items| items.into_iter().map(Ok).collect()))
        }
        Err(error) => {
            let (outer, items) = split(body, path).ok_or(error)?;
            if items.len() > MAX_ITEMS {
                return Err(Error::TooManyItems);
            }
            (read(&outer).map_err(|_| error)?, Some(items.into_iter().map(read).collect()))
        }
    };
    if items.as_ref().is_some_and(|items: &Vec<_>| items.len() > MAX_ITEMS) {
        return Err(Error::TooManyItems);
    }
    Ok(List { body, path, outer, items })
}

impl List<'_> {
    /// Whether there is a list.
    pub(crate) fn is_there(&self) -> bool {
        self.items.is_some()
    }

    /// The number of items.
    pub(crate) fn len(&self) -> usize {
        self.items.as_ref().map_or(0, Vec::len)
    }

    /// Treats a body that is an object and not a list as a list's only item.
    pub(crate) fn or_one(mut self) -> Self {
        if self.items.is_none() && self.outer.is_object() {
            self.items = Some(vec![Ok(self.outer.take())]);
        }
        self
    }

    /// The items in order; `None` for an item that broke the rules.
    pub(crate) fn values(&self) -> impl Iterator<Item = Option<&Value>> {
        self.items.iter().flatten().map(|item| item.as_ref().ok())
    }

    /// Reads each item. An unreadable item is odd, and an irrelevant one is left out.
    pub(crate) fn read<T>(self, mut read: impl FnMut(usize, Value) -> Result<Option<T>, Refusal>) -> (Vec<T>, Vec<Odd>) {
        let items = self.items.unwrap_or_default();
        let count = items.len();
        let (mut good, mut failed) = (Vec::with_capacity(count), Vec::new());
        for (number, item) in items.into_iter().enumerate() {
            match item.map_err(Refusal::from).and_then(|item| read(number, item)) {
                Ok(Some(item)) => good.push(item),
                Ok(None) => {}
                Err(refusal) => failed.push((number, refusal)),
            }
        }
        if failed.is_empty() {
            return (good, Vec::new());
        }
        // Their bytes are looked up only now, since there are mostly none.
        let raw = split(self.body, self.path).map(|(_, raw)| raw).filter(|raw| raw.len() == count).unwrap_or_default();
        let odd = |(number, refusal): (usize, Refusal)| Odd::new(refusal, raw.get(number).copied().unwrap_or(self.body));
        (good, failed.into_iter().map(odd).collect())
    }
}

/// Takes the list out of a value.
fn take(value: &mut Value, path: &[&str]) -> Option<Vec<Value>> {
    let Some((name, rest)) = path.split_first() else {
        return value.as_array_mut().map(std::mem::take);
    };
    let members = value.as_object_mut()?;
    if *name == ANY {
        return members.values_mut().find_map(|member| take(member, rest));
    }
    take(members.get_mut(*name)?, rest)
}

/// The text around the list, with an empty one in its place, and the bytes of its items. `None` if the list is missing or
/// does not end. A body that is a list itself need not be in order.
fn split<'a>(body: &'a [u8], path: &[&str]) -> Option<(Vec<u8>, Vec<&'a [u8]>)> {
    let loose = |junk: bool| path.is_empty().then(|| loose(body, junk)).flatten();
    match within(body, path) {
        Some(found) if readable(&found.1) == found.1.len() => Some(found),
        Some(found) => loose(false).into_iter().chain([found]).max_by_key(|(_, items)| readable(items)),
        None => loose(true),
    }
}

/// The same, for a list that is in order around its items.
fn within<'a>(body: &'a [u8], path: &[&str]) -> Option<(Vec<u8>, Vec<&'a [u8]>)> {
    let start = find(body, blank(body, 0), path)?;
    let (items, end) = match items(body, start) {
        Some(found) if is_around(body, start, found.1) && !found.0.iter().any(|item| is_several(item)) => found,
        // The result that reads more items is right.
        found => {
            let around = |found: &(Vec<&[u8]>, usize)| is_around(body, start, found.1);
            found.into_iter().filter(around).chain(resume(body, start)).max_by_key(|(items, _)| readable(items))?
        }
    };
    let outer = [body.get(..start)?, body.get(end..)?].concat();
    Some((outer, items))
}

fn readable(items: &[&[u8]]) -> usize {
    items.iter().filter(|item| parse_lenient(item).is_ok()).count()
}

/// Whether it may be several items, joined by one quotation mark too few or too many.
fn is_several(item: &[u8]) -> bool {
    let begins = |at: usize| item.get(blank(item, at + 1)) == Some(&b'{');
    let holds = item.iter().enumerate().any(|(at, byte)| *byte == b',' && begins(at));
    holds && parse_lenient(item).is_err()
}

/// The beginning of the list, after its bracket.
fn find(body: &[u8], at: usize, path: &[&str]) -> Option<usize> {
    let Some((name, rest)) = path.split_first() else {
        return (body.get(at) == Some(&b'[')).then_some(at + 1);
    };
    if body.get(at) != Some(&b'{') {
        return None;
    }
    let mut at = blank(body, at + 1);
    while body.get(at) == Some(&b'"') {
        let end = text(body, at)?;
        let key = body.get(at + 1..end - 1)?;
        let colon = blank(body, end);
        if body.get(colon) != Some(&b':') {
            return None;
        }
        let value = blank(body, colon + 1);
        if (*name == ANY || key == name.as_bytes())
            && let Some(found) = find(body, value, rest)
        {
            return Some(found);
        }
        at = blank(body, skip(body, value)?);
        if body.get(at) == Some(&b',') {
            at = blank(body, at + 1);
        }
    }
    None
}

/// The items of a list whose brackets and quotation marks are in order, and the place of its closing bracket.
fn items(body: &[u8], start: usize) -> Option<(Vec<&[u8]>, usize)> {
    let (mut items, mut at) = (Vec::new(), blank(body, start));
    if body.get(at) == Some(&b']') {
        return Some((items, at));
    }
    loop {
        let end = skip(body, at)?;
        items.push(body.get(at..end)?.trim_ascii());
        at = blank(body, end);
        match body.get(at) {
            Some(b',') => at = blank(body, at + 1),
            Some(b']') => return Some((items, at)),
            _ => return None,
        }
    }
}

/// The items of a list of objects in which one has lost a bracket or a quotation mark. Each begins with the list or at a
/// `,{`.
fn resume(body: &[u8], start: usize) -> Option<(Vec<&[u8]>, usize)> {
    let end = close(body, start)?;
    let inside = body.get(..end)?;
    let behind_comma = |at: &usize| inside.get(..*at).is_some_and(|before| before.trim_ascii_end().ends_with(b","));
    let begins = objects(inside, start).filter(behind_comma);
    Some((together(inside, std::iter::once(blank(inside, start)).chain(begins).collect(), b","), end))
}

/// The objects of a body that should be a list of them and is not in order around them. Each begins after another's end or,
/// if that reads more, with a line. With `junk`, other text may come before the first. `None` if not one can be read.
fn loose(body: &[u8], junk: bool) -> Option<(Vec<u8>, Vec<&[u8]>)> {
    let behind_another = |at: usize| {
        let before = trim_end(body.get(..at).unwrap_or_default(), b"[");
        matches!(before.last(), None | Some(b',' | b'}' | b']'))
    };
    let on_a_line = |at: usize| {
        let blanks = body.get(..at).unwrap_or_default().iter().rev().take_while(|byte| is_blank(**byte) || **byte == b'[');
        blanks.copied().any(|byte| byte == b'\n') || behind_another(at)
    };
    let start = body.len() - trim_start(body.get(blank(body, 0)..)?, b"[").len();
    let first = if junk { objects(body, start).next()? } else { start };
    let read = |begins: &dyn Fn(usize) -> bool| {
        let begins = objects(body, first + 1).filter(|at| begins(*at));
        let items = together(body, std::iter::once(first).chain(begins).collect(), b",[]");
        let before = trim_end(body.get(start..first).unwrap_or_default(), b",[]");
        [before].into_iter().filter(|before| !before.is_empty()).chain(items).collect::<Vec<_>>()
    };
    let items = [read(&on_a_line), read(&behind_another)].into_iter().max_by_key(|items| readable(items))?;
    (readable(&items) > 0).then(|| (b"[]".to_vec(), items))
}

/// The beginnings of objects from there on.
fn objects(body: &[u8], start: usize) -> impl Iterator<Item = usize> {
    body.iter().enumerate().skip(start).filter(|(_, byte)| **byte == b'{').map(|(at, _)| at)
}

/// Puts items together from pieces that begin there. Each takes as many pieces as it needs to be whole. Blanks and the
/// bytes of `between` separate them.
fn together<'a>(inside: &'a [u8], pieces: Vec<usize>, between: &[u8]) -> Vec<&'a [u8]> {
    let item = |from: usize, next: usize| {
        let to = pieces.get(next).copied().unwrap_or(inside.len());
        trim_end(inside.get(from..to).unwrap_or_default(), between)
    };
    let (mut items, mut piece) = (Vec::new(), 0);
    while let Some(&begin) = pieces.get(piece) {
        // Two broken ends can make brackets match by chance. Several pieces are one item only if they are JSON together.
        let whole = |next: &usize| {
            let item = item(begin, *next);
            *next <= pieces.len() && is_whole(item) && (*next == piece + 1 || parse_lenient(item).is_ok())
        };
        if let Some(next) = (piece + 1..=piece + TRIES).find(whole) {
            items.push(item(begin, next));
            piece = next;
            continue;
        }
        piece += 1;
        let part = item(begin, piece);
        // Perhaps this is a good one, before one whose own bracket is lost.
        let first = skip(part, 0).filter(|first| part.get(*first).is_some_and(|b| is_blank(*b) || between.contains(b)));
        let (good, rest) = part.split_at(first.unwrap_or_default());
        items.extend([good, trim_start(rest, between)].into_iter().filter(|part| !part.is_empty()));
    }
    items
}

/// Also the separator of records in JSON text sequences (RFC 7464).
fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, 0 | 0x1e)
}

/// Removes blanks and these bytes at the beginning.
fn trim_start<'a>(part: &'a [u8], these: &[u8]) -> &'a [u8] {
    let count = part.iter().take_while(|byte| is_blank(**byte) || these.contains(byte)).count();
    part.get(count..).unwrap_or_default()
}

/// Removes blanks and these bytes at the end.
fn trim_end<'a>(part: &'a [u8], these: &[u8]) -> &'a [u8] {
    let count = part.iter().rev().take_while(|byte| is_blank(**byte) || these.contains(byte)).count();
    part.get(..part.len() - count).unwrap_or_default()
}

/// The closing bracket of the list, if the brackets inside cannot be trusted: the last one that leaves everything around
/// the list in order. A bracket after an object is preferred.
fn close(body: &[u8], start: usize) -> Option<usize> {
    let behind_object = |at: &usize| body.get(..*at).is_some_and(|before| before.trim_ascii_end().ends_with(b"}"));
    let around = |at: &usize| is_around(body, start, *at);
    let brackets = || (start..body.len()).rev().filter(|at| body.get(*at) == Some(&b']')).take(CLOSES);
    brackets().filter(behind_object).find(around).or_else(|| brackets().find(around))
}

/// Whether the text around a list that ends there is in order.
fn is_around(body: &[u8], start: usize, end: usize) -> bool {
    match (body.get(..start), body.get(end..)) {
        (Some(before), Some(after)) => is_whole(&[before, after].concat()),
        _ => false,
    }
}

/// Whether it is one value with matching brackets, and nothing else.
fn is_whole(part: &[u8]) -> bool {
    skip(part, blank(part, 0)).is_some_and(|end| blank(part, end) == part.len())
}

/// The first byte from there on that is not blank.
fn blank(body: &[u8], at: usize) -> usize {
    let blanks = body.iter().skip(at).take_while(|b| is_blank(**b)).count();
    // The byte order mark of UTF-8 at the beginning counts as blank, too.
    match at == 0 && body.starts_with("\u{FEFF}".as_bytes()) {
        true => 3 + body.iter().skip(3).take_while(|b| b.is_ascii_whitespace()).count(),
        false => at + blanks,
    }
}

/// The end of the text that begins there.
fn text(body: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        match body.get(at)? {
            b'\\' => at += 2,
            b'"' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// The end of the value that begins there; `None` if it does not end, or if its brackets do not match.
fn skip(body: &[u8], at: usize) -> Option<usize> {
    let (mut at, mut open) = (at, Vec::new());
    loop {
        match body.get(at) {
            Some(b'"') => at = text(body, at)?,
            Some(bracket @ (b'[' | b'{')) => {
                open.push(bracket + 2);
                at += 1;
            }
            Some(bracket @ (b']' | b'}')) => match open.pop() {
                Some(opened) if opened == *bracket => at += 1,
                // The end of the surrounding value.
                None => return Some(at),
                Some(_) => return None,
            },
            Some(b',') if open.is_empty() => return Some(at),
            Some(_) => at += 1,
            None => return open.is_empty().then_some(at),
        }
        if open.is_empty() && matches!(body.get(at - 1), Some(b'"' | b']' | b'}')) {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::MAX_BYTES;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const PATH: &[&str] = &[ANY, "list"];

    fn read(body: &[u8], path: &'static [&'static str]) -> Option<(Value, Vec<i64>, Vec<Odd>)> {
        let list = list(body, MAX_BYTES, path).ok().filter(List::is_there)?;
        let outer = list.outer.clone();
        let (good, odd) = list.read(|_, item| item["n"].as_i64().map(Some).ok_or(Refusal::Field("n")));
        Some((outer, good, odd))
    }

    fn reasons(odd: &[Odd]) -> Vec<&'static str> {
        odd.iter().map(|odd| odd.reason).collect()
    }

    #[test]
    fn w0_an_item_that_cannot_be_read_costs_the_others_nothing() {
        let deep = "[".repeat(40) + &"]".repeat(40);
        let many = format!("[{}0]", "0,".repeat(10_000));
        for (bad, reason) in [
            (r#"{"n":"x"}"#, "n"),
            ("7", "n"),
            ("null", "n"),
            (r#"{"n":1e999}"#, "not_json"),
            (r#"{"n":NaN}"#, "not_json"),
            (r#"{"n":2,}"#, "not_json"),
            (deep.as_str(), "too_deep"),
            (many.as_str(), "too_many_values"),
        ] {
            let body = format!(r#"{{"r":{{"list":[{{"n":1}}, {bad} ,{{"n":3}}],"next":"c"}},"ok":0}}"#);
            let (outer, good, odd) = read(body.as_bytes(), PATH).unwrap_or_else(|| panic!("{bad:.60}"));
            assert_eq!((good, reasons(&odd)), (vec![1, 3], vec![reason]), "{bad:.60}");
            assert_eq!(
                (&odd[0].raw, outer),
                (&bad.as_bytes().to_vec(), json!({ "r": { "list": [], "next": "c" }, "ok": 0 }))
            );
        }
    }

    #[test]
    fn an_item_that_lost_a_bracket_or_a_quotation_mark_costs_the_others_nothing() {
        for bad in [
            r#"{"n":2,"t":"a"b"}"#,
            r#"{"n":2,"t":"a}"#,
            r#"{"n":2,"t":{"a":1}"#,
            r#"{"n":2}}"#,
            r#"{"n":[2}"#,
            r#"{"n":{2]}}"#,
            // Its end reads like the list's end.
            r#"{"n":2,"l":"a":1}]}"#,
        ] {
            let body = format!(r#"[{{"n":1,"l":[{{"a":1}},{{"a":2}}]}},{bad}, {{"n":3,"l":[{{"a":1}},{{}}]}},{{"n":4}}]"#);
            let (_, good, odd) = read(body.as_bytes(), &[]).unwrap_or_else(|| panic!("{bad}"));
            assert_eq!((good, odd.len()), (vec![1, 3, 4], 1), "{bad}");
            assert_eq!(odd[0].raw, bad.as_bytes(), "{bad}");
        }
    }

    #[test]
    fn a_bracket_that_closes_the_list_too_early_costs_the_others_nothing() {
        for number in 0..3 {
            let mut items = [1, 2, 3].map(|n| format!(r#"{{"n":{n},"l":[{{"a":1}}]}}"#));
            items[number].replace_range(..1, "]");
            let rest: Vec<i64> = [1, 2, 3].into_iter().filter(|n| usize::try_from(*n) != Ok(number + 1)).collect();
            let (_, good, odd) = read(format!("[{}]", items.join(",")).as_bytes(), &[]).unwrap();
            assert_eq!((good, odd.len()), (rest, 1), "{number}");
        }
    }

    #[test]
    fn a_broken_item_does_not_swallow_the_next_although_their_marks_match() {
        let body = br#"[{"t":"\"?\"","n":1},{"t":"\"?\"","n":2u":"x"},{"t":"\"?\"","n":3}]"#;
        let (_, good, odd) = read(body, &[]).unwrap();
        assert_eq!((good, reasons(&odd)), (vec![1, 3], vec!["not_json"]));
    }

    #[test]
    fn lists_that_are_none_or_do_not_end() {
        for body in ["{}", "[]", r#"{"r":{"list":{}}}"#, r#"{"r":[]}"#, "1", "\"x\""] {
            assert_eq!(read(body.as_bytes(), PATH), None, "{body}");
        }
        assert_eq!(read(b"{\"r\":{\"list\":[]}}", PATH).map(|(_, good, odd)| (good, odd)), Some((Vec::new(), Vec::new())));
        // Pages are asked for again; a push is not.
        assert_eq!(read(br#"{"r":{"list":[{"n":1},{"n":2"#, PATH), None);
        assert_eq!(list(br#"[{"n":"#, MAX_BYTES, &[]).err(), Some(Error::Syntax));
        assert_eq!(list(&[b' '; 32], 16, &[]).err(), Some(Error::TooLong));
        let many = format!("[{}1]", "1,".repeat(MAX_ITEMS));
        assert_eq!(list(many.as_bytes(), MAX_BYTES, &[]).err(), Some(Error::TooManyItems));
        let many = format!("[{}1e999]", "1,".repeat(MAX_ITEMS));
        assert_eq!(list(many.as_bytes(), MAX_BYTES, &[]).err(), Some(Error::TooManyItems));
        let (_, good, _) = read(b"\xef\xbb\xbf [{\"n\":1},{\"n\":1e999}]", &[]).unwrap();
        assert_eq!(good, [1]);
        let one = list(br#"{"n":5}"#, MAX_BYTES, &[]).unwrap().or_one();
        assert_eq!(one.read(|_, item| Ok(item["n"].as_i64())).0, [5]);
    }

    #[test]
    fn what_should_be_a_list_is_read_for_the_items_that_are_whole() {
        for (body, numbers, raw) in [
            (r#"[{"n":1},{"n":2},{"pho"#, vec![1, 2], vec![r#"{"pho"#]),
            (r#"[{"n":1,"l":[{"a":1},{"a":2}]},{"n":2,"l":[{"a":1},{"a"#, vec![1], vec![r#"{"n":2,"l":[{"a":1}"#, r#"{"a"#]),
            (r#"[{"n":1},{"n":2},"#, vec![1, 2], vec![]),
            (r#"[{"n":1},{"n":2}"#, vec![1, 2], vec![]),
            (r#"[{"n":1},{"n":2}] xx"#, vec![1, 2], vec!["xx"]),
            (r#"[{"n":1},{"n":2}]]"#, vec![1, 2], vec![]),
            (r#"[{"n":1}][{"n":2}]"#, vec![1, 2], vec![]),
            (r#"[[{"n":1},{"n":2}]]"#, vec![1, 2], vec![]),
            (r#"{"n":1},{"n":2}"#, vec![1, 2], vec![]),
            ("{\"n\":1}\n{\"n\":2,\"l\":[{\"a\":1},{}]}\r\n", vec![1, 2], vec![]),
            (
                "{\"n\":1}\n{\"n\":2,\"t\":\"a\"b\"}\n{\"n\":3}\n{\"n\":4",
                vec![1, 3],
                vec![r#"{"n":2,"t":"a"b"}"#, r#"{"n":4"#],
            ),
            (r#"[{"n":1},{"n":"x"},{"n":3}"#, vec![1, 3], vec![r#"{"n":"x"}"#]),
            ("{\"n\":1}\njunk here\n{\"n\":2}\n{\"n\":3}", vec![1, 2, 3], vec!["junk here"]),
            ("{\"n\":1}\n{\"broken\": \n{\"n\":2}\n{\"n\":3}", vec![1, 2, 3], vec!["{\"broken\":"]),
            (r#"xx[{"n":1},{"n":2},{"n":3}]"#, vec![1, 2, 3], vec!["xx"]),
            ("\u{1e}{\"n\":1}\n\u{1e}{\"n\":2}\n", vec![1, 2], vec![]),
            (
                "[\n  {\n    \"n\": 1,\n    \"o\": {\n      \"a\": 1\n    }\n  },\n  {\n    \"n\": 2",
                vec![1],
                vec!["{\n    \"n\": 2"],
            ),
        ] {
            let (outer, good, odd) = read(body.as_bytes(), &[]).unwrap_or_else(|| panic!("{body}"));
            let kept: Vec<_> = odd.iter().map(|odd| String::from_utf8_lossy(&odd.raw)).collect();
            assert_eq!((outer, good), (json!([]), numbers), "{body}");
            assert_eq!(kept, raw, "{body}");
        }
    }

    #[test]
    fn a_batch_has_more_values_than_one_item_may() {
        let item = json!({ "n": 1, "a": [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] });
        let body = Value::from(vec![item; 1_500]).to_string();
        let (_, good, odd) = read(body.as_bytes(), &[]).unwrap();
        assert_eq!((good.len(), odd.len()), (1_500, 0));
    }

    proptest! {
        #[test]
        fn any_change_of_one_item_leaves_the_others(number in 0usize..5, at: usize, to in prop::collection::vec(any::<u8>(), 0..4)) {
            let mut items: Vec<Vec<u8>> =
                (0..5).map(|n| format!(r#"{{"n":{n},"t":"谢谢 {n}","o":{{"a":[1]}}}}"#).into_bytes()).collect();
            let item = &mut items[number];
            let at = at % item.len();
            item.splice(at..=at, to);
            let body = [b"[", &items.join(&b","[..])[..], b"]"].concat();
            let found = read(&body, &[]);
            prop_assert!(found.is_some(), "{}", String::from_utf8_lossy(&body));
            let (_, good, _) = found.unwrap();
            for other in (0..5i64).filter(|other| usize::try_from(*other) != Ok(number)) {
                prop_assert!(good.contains(&other), "{other} of {}", String::from_utf8_lossy(&body));
            }
        }

        #[test]
        fn a_cut_costs_no_item_before_it(count in 1usize..6, cut: usize, lines: bool) {
            let items: Vec<String> =
                (0..count).map(|n| format!(r#"{{"n":{n},"t":"谢谢 [{n}","o":{{"a":[1],"l":[{{}},{{"b":1}}]}}}}"#)).collect();
            let body = match lines {
                true => items.join("\n"),
                false => format!("[{}]", items.join(",")),
            };
            let cut = cut % body.len();
            let mut end = usize::from(!lines);
            let whole = items.iter().take_while(|item| {
                let fits = end + item.len() <= cut;
                end += item.len() + 1;
                fits
            });
            let expected: Vec<i64> = (0..).take(whole.count()).collect();
            let read = |list: List<'_>| list.or_one().read(|_, item| Ok(item["n"].as_i64())).0;
            let found = list(&body.as_bytes()[..cut], MAX_BYTES, &[]).map(read).unwrap_or_default();
            prop_assert!(found.starts_with(&expected), "{expected:?}, not {found:?} of {}", &body.as_bytes()[..cut].escape_ascii());
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(bytes: Vec<u8>, soup in "[\"\\\\{}\\[\\],: an0]{0,60}") {
            for body in [&bytes[..], soup.as_bytes()] {
                for path in [PATH, &[], &["a"]] {
                    let _ = (split(body, path), read(body, path));
                }
            }
        }
    }
}
