//! The keys of the terminal as the editor knows them.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::model::Press;

/// What a key means: nothing, one key, or two.
pub(super) fn presses(key: KeyEvent) -> impl Iterator<Item = Press> {
    // Esc and another key soon after look like Alt and that key; nothing here is done with Alt.
    let is_after_esc = key.modifiers.contains(KeyModifiers::ALT);
    is_after_esc.then_some(Press::Esc).into_iter().chain(press(key))
}

fn press(key: KeyEvent) -> Option<Press> {
    let has_control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        // What some terminals send for the backspace key.
        KeyCode::Char('h') if has_control => Press::Backspace,
        KeyCode::Char(c) if has_control => Press::Ctrl(c),
        KeyCode::Char(c) => Press::Char(c),
        KeyCode::F(n) => Press::Function(n),
        KeyCode::Enter => Press::Enter,
        KeyCode::Esc => Press::Esc,
        KeyCode::Up | KeyCode::BackTab => Press::Up,
        KeyCode::Down | KeyCode::Tab => Press::Down,
        KeyCode::Left => Press::Left,
        KeyCode::Right => Press::Right,
        KeyCode::Home => Press::Home,
        KeyCode::End => Press::End,
        KeyCode::PageUp => Press::PageUp,
        KeyCode::PageDown => Press::PageDown,
        KeyCode::Backspace => Press::Backspace,
        KeyCode::Delete => Press::Delete,
        _ => return None,
    })
}
