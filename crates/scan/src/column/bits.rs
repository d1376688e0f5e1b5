//! A predicate over numbers as a bitmap.

use arrow::buffer::{BooleanBuffer, Buffer};

/// Evaluates a predicate on each number, 64 at a time.
pub(crate) fn bits_of<T: Copy>(numbers: &[T], is: impl Fn(T) -> bool) -> BooleanBuffer {
    let word = |numbers: &[T]| {
        numbers.iter().enumerate().fold(0u64, |word, (bit, number)| word | u64::from(is(*number)) << bit)
    };
    let (whole, rest) = numbers.as_chunks::<64>();
    let mut words: Vec<u64> = Vec::with_capacity(whole.len() + 1);
    words.extend(whole.iter().map(|numbers| word(numbers)));
    if !rest.is_empty() {
        words.push(word(rest));
    }
    BooleanBuffer::new(Buffer::from_vec(words), 0, numbers.len())
}
