//! Values that a request has read and parsed once, and needs again.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

/// Values that steps of one request leave to each other, one of each type. It lives as long as the request. It knows nothing
/// of the store: before you use a value from it, check that the store has not changed since.
#[derive(Default)]
pub struct Memo(RefCell<BTreeMap<TypeId, Rc<dyn Any>>>);

impl fmt::Debug for Memo {
    /// Shows how many values there are, because values can be personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memo({})", self.0.borrow().len())
    }
}

impl Memo {
    /// The value of a type; `None` if nobody left one.
    pub fn get<T: Any>(&self) -> Option<Rc<T>> {
        let value = self.0.borrow().get(&TypeId::of::<T>()).cloned();
        value.and_then(|value| value.downcast().ok())
    }

    /// Leaves a value, in the place of an earlier one of its type.
    pub fn set<T: Any>(&self, value: T) {
        self.0.borrow_mut().insert(TypeId::of::<T>(), Rc::new(value));
    }

    /// Forgets all values: another request begins.
    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_of_each_type_is_kept_until_another_or_the_end() {
        let memo = Memo::default();
        assert_eq!(memo.get::<u8>(), None);
        memo.set(1_u8);
        memo.set("word");
        memo.set(2_u8);
        assert_eq!((memo.get::<u8>(), memo.get::<&str>()), (Some(Rc::new(2)), Some(Rc::new("word"))));
        assert_eq!(format!("{memo:?}"), "Memo(2)");
        memo.clear();
        assert_eq!(memo.get::<u8>(), None);
    }
}
