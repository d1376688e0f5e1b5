//! The text of an error: what went wrong, and why.

use std::error::Error;

/// Returns an error and its causes as `a: b: c`. Every message and every reason that is shown or stored is made here,
/// so an error type states only its own part and returns its cause from `source()`.
///
/// A cause whose text is already there is left out: some libraries print their causes themselves.
///
/// ```
/// use flowsift_flow::error_text;
///
/// let error = std::io::Error::other("the disk is full");
/// assert_eq!(error_text(&error), "the disk is full");
/// ```
pub fn error_text(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Link {
        text: &'static str,
        source: Option<Box<Link>>,
    }

    #[test]
    fn causes_follow_their_error_and_nothing_is_said_twice() {
        let link = |text, source: Option<Link>| Link { text, source: source.map(Box::new) };
        let error = link("could not read a", Some(link("the disk: it is full", Some(link("it is full", None)))));
        assert_eq!(error_text(&error), "could not read a: the disk: it is full");
        assert_eq!(error_text(&link("b", Some(link("a", Some(link("c", None)))))), "b: a: c");
    }
}
