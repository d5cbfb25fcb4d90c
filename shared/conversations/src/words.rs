//! The words in a message of the brand that do something to it before it goes out.

use crate::model::Finding;
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_language::{Checker, Folded, SensitiveWord, heads};
use warmline_model::Content;
use warmline_store::{StoreError, watched_words};

/// The words found in contents, in their order. Each content is looked at as a whole, so a text has to come before it is cut
/// for its channel.
pub(crate) fn findings(ctx: &Ctx<'_>, contents: &[Content]) -> Result<Vec<Finding>, StepError> {
    let texts: Vec<(&str, Folded)> = contents.iter().flat_map(Content::texts).map(|text| (text, Folded::of(text))).collect();
    let mut all: Vec<&str> = texts.iter().flat_map(|(_, folded)| heads(folded)).collect();
    all.sort_unstable();
    all.dedup();
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let all = serde_json::to_string(&all).map_err(|e| StoreError::Other(e.to_string()))?;
    let words = watched_words::beginning_with(ctx.db, &all)?;
    if words.is_empty() {
        return Ok(Vec::new());
    }
    let read = |word: &String| serde_json::from_str::<SensitiveWord>(word).map_err(|_| StoreError::Shape(0));
    let words = words.iter().map(read).collect::<Result<_, _>>()?;
    let checker = Checker::new(words).map_err(|e| StoreError::Other(e.to_string()))?;
    let mut found = Vec::new();
    for (text, folded) in &texts {
        found.extend(checker.find(folded).into_iter().map(|place| Finding {
            word: place.word.word.clone(),
            category: place.word.category.clone(),
            effect: place.word.effect,
            found: text.get(place.at).unwrap_or_default().to_owned(),
        }));
    }
    Ok(found)
}
