//! A list with one selected row.

use super::super::page::Row;
use super::Press;

/// How far a page key goes, in rows.
const PAGE: usize = 8;

/// A row and what it stands for; rows without a target cannot be selected.
pub(in super::super) struct Item<T> {
    pub(in super::super) row: Row,
    pub(in super::super) target: Option<T>,
}

impl<T> Item<T> {
    pub(in super::super) fn new(row: Row, target: T) -> Self {
        Self { row, target: Some(target) }
    }

    pub(in super::super) fn inert(row: Row) -> Self {
        Self { row, target: None }
    }
}

/// Which row is selected.
#[derive(Default)]
pub(in super::super) struct List {
    wanted: usize,
}

impl List {
    pub(in super::super) fn at(wanted: usize) -> Self {
        Self { wanted }
    }

    /// The selected row: the wanted one, or the nearest that can be.
    pub(in super::super) fn selected<T>(&self, items: &[Item<T>]) -> Option<usize> {
        let can_be = |at: &usize| items[*at].target.is_some();
        let wanted = self.wanted.min(items.len());
        (wanted..items.len()).find(can_be).or_else(|| (0..wanted).rev().find(can_be))
    }

    /// What the selected row stands for.
    pub(in super::super) fn target<'a, T>(&self, items: &'a [Item<T>]) -> Option<&'a T> {
        items[self.selected(items)?].target.as_ref()
    }

    /// Selects the first row for which this holds.
    pub(in super::super) fn select<T>(&mut self, items: &[Item<T>], is_it: impl Fn(&T) -> bool) {
        if let Some(at) = items.iter().position(|item| item.target.as_ref().is_some_and(&is_it)) {
            self.wanted = at;
        }
    }

    /// Takes a key; false when it does not move.
    pub(in super::super) fn press<T>(&mut self, press: &Press, items: &[Item<T>]) -> bool {
        let Some(at) = self.selected(items) else { return false };
        let can_be: Vec<usize> = (0..items.len()).filter(|at| items[*at].target.is_some()).collect();
        let nth = can_be.iter().position(|can| *can == at).unwrap_or_default();
        let last = can_be.len() - 1;
        let nth = match press {
            Press::Up => nth.checked_sub(1).unwrap_or(last),
            Press::Down => {
                if nth == last {
                    0
                } else {
                    nth + 1
                }
            }
            Press::PageUp => nth.saturating_sub(PAGE),
            Press::PageDown => (nth + PAGE).min(last),
            Press::Home => 0,
            Press::End => last,
            _ => return false,
        };
        self.wanted = can_be[nth];
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rows_with_a_target_are_selected() {
        let inert = || Item::inert(Row::default());
        let item = |n: u8| Item::new(Row::default(), n);
        let items = [inert(), item(1), inert(), item(2), inert()];
        let mut list = List::default();
        assert_eq!(list.target(&items), Some(&1));
        for (press, expected) in
            [(Press::Down, 2), (Press::Down, 1), (Press::Up, 2), (Press::Home, 1), (Press::End, 2), (Press::PageUp, 1)]
        {
            assert!(list.press(&press, &items));
            assert_eq!(list.target(&items), Some(&expected), "{press:?}");
        }
        assert_eq!(List::at(4).target(&items), Some(&2), "the nearest one above");
        assert_eq!(List::at(9).selected::<u8>(&[inert(), inert()]), None);
        list.select(&items, |n| *n == 2);
        assert_eq!(list.selected(&items), Some(3));
    }
}
