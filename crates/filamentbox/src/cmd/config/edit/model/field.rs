//! A line that is typed into: the text, the cursor, and the keys that move it.

use zeroize::{Zeroize as _, Zeroizing};

use super::Press;

/// Nothing that can be set is longer, in bytes.
const MAX_BYTES: usize = 8192;

/// What has been typed. It may be a secret: there is no Debug, and its memory is wiped.
pub(in super::super) struct Field {
    text: Zeroizing<String>,
    /// Bytes before the cursor.
    at: usize,
}

impl Field {
    pub(in super::super) fn new(text: &str) -> Self {
        // With its room from the start it never moves, and leaves no copy behind.
        let mut room = Zeroizing::new(String::with_capacity(MAX_BYTES));
        room.push_str(text);
        Self { at: room.len(), text: room }
    }

    pub(in super::super) fn text(&self) -> &str {
        &self.text
    }

    /// Characters before the cursor.
    pub(in super::super) fn cursor(&self) -> usize {
        self.text[..self.at].chars().count()
    }

    /// Takes a key; false when it means nothing here.
    pub(in super::super) fn press(&mut self, press: &Press) -> bool {
        match press {
            Press::Char(c) => self.insert(c.encode_utf8(&mut [0; 4])),
            // What is copied from a page often ends with a line break.
            Press::Paste(text) => self.insert(text.trim_matches(['\n', '\r'])),
            Press::Backspace => {
                let from = self.before();
                self.remove(from, self.at);
            }
            Press::Delete => self.remove(self.at, self.after()),
            Press::Left => self.at = self.before(),
            Press::Right => self.at = self.after(),
            Press::Home | Press::Ctrl('a') => self.at = 0,
            Press::End | Press::Ctrl('e') => self.at = self.text.len(),
            Press::Ctrl('u') => {
                self.text.zeroize();
                self.at = 0;
            }
            Press::Ctrl('w') => {
                let kept = self.text[..self.at].trim_end().rfind(' ').map_or(0, |space| space + 1);
                self.remove(kept, self.at);
            }
            _ => return false,
        }
        true
    }

    fn insert(&mut self, text: &str) {
        if self.text.len() + text.len() <= MAX_BYTES {
            self.text.insert_str(self.at, text);
            self.at += text.len();
        }
    }

    fn remove(&mut self, from: usize, to: usize) {
        self.text.replace_range(from..to, "");
        self.at = from;
    }

    fn before(&self) -> usize {
        self.text[..self.at].char_indices().next_back().map_or(0, |(at, _)| at)
    }

    fn after(&self) -> usize {
        self.text[self.at..].chars().next().map_or(self.at, |c| self.at + c.len_utf8())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(start: &str, presses: &[Press], text: &str, cursor: usize) {
        let mut field = Field::new(start);
        for press in presses {
            assert!(field.press(press));
        }
        assert_eq!((field.text(), field.cursor()), (text, cursor));
    }

    #[test]
    fn keys_do_what_they_do_everywhere() {
        use Press::{Backspace, Char, Ctrl, Delete, End, Home, Left, Right};
        check("", &[Char('a'), Char('°'), Char('c')], "a°c", 3);
        check("a°c", &[Left, Backspace], "ac", 1);
        check("a°c", &[Home, Delete, Right, Char('x')], "°xc", 2);
        check("ab", &[Home, Backspace, Left, End, Delete, Right], "ab", 2);
        check("one two ", &[Ctrl('w')], "one ", 4);
        check("one", &[Ctrl('w'), Ctrl('w')], "", 0);
        check("one", &[Ctrl('u'), Char('x')], "x", 1);
        check("", &[Press::Paste("t0ken==\r\n".to_owned())], "t0ken==", 7);
    }

    #[test]
    fn what_is_longer_than_anything_allowed_is_not_taken() {
        check("x", &[Press::Paste("y".repeat(MAX_BYTES))], "x", 1);
        let all = "y".repeat(MAX_BYTES);
        check("", &[Press::Paste(all.clone()), Press::Char('z')], &all, MAX_BYTES);
    }
}
