//! Values, and the objects that they lead to.
//!
//! Objects stay until the evaluation that made them ends, or for good if something that stays leads to them. Handles
//! instead of references: objects are shared (a buffer and the fields in it), and may lead to one another.

use alloc::vec::Vec;

/// Most bytes of all objects that exist at a time.
const MAX_HEAP_BYTES: usize = 4 << 20;

/// What an object takes beside its contents, about.
const OBJECT_BYTES: usize = 32;

/// An object of the heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Handle(usize);

/// A value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A package's element that nothing was stored to.
    Uninitialized,
    Integer(u64),
    /// A text, a buffer or a package.
    Object(Handle),
    Reference(Reference),
    /// A value that is not known here, though firmware has one.
    Unknown(Cause),
}

/// What `RefOf` and `Index` give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reference {
    /// An object of the namespace.
    Node(usize),
    /// An element of a package.
    Element(Handle, usize),
    /// A byte of a buffer or a text.
    Byte(Handle, usize),
    /// A local or an argument of the call with this number; locals come first.
    Slot(u64, usize),
}

/// Why a value is not known, and the table and offset where it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cause {
    pub(super) place: (usize, usize),
    pub(super) source: UnknownSource,
}

/// What is known, or why it is not.
pub(super) type Known<T> = Result<T, Cause>;

/// See [`Cause`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UnknownSource {
    /// A field of an operation region: this node.
    Region(usize),
    /// An operator that is not evaluated.
    Operator(u16),
    /// Code that might have written to it did not run to its end.
    Unfinished,
}

/// A value that takes room.
#[derive(Clone, Debug)]
pub(super) enum Object {
    Text(Vec<u8>),
    Buffer(Vec<u8>),
    Package(Vec<Value>),
    /// A buffer of which some bytes are not known.
    Unknown(Cause),
}

impl Object {
    /// The room that it takes.
    pub(super) fn bytes(&self) -> usize {
        OBJECT_BYTES
            + match self {
                Self::Text(bytes) | Self::Buffer(bytes) => bytes.len(),
                Self::Package(elements) => elements.len() * size_of::<Value>(),
                Self::Unknown(_) => 0,
            }
    }
}

/// All objects.
#[derive(Debug, Default)]
pub(super) struct Heap {
    objects: Vec<Object>,
    bytes: usize,
    /// Something that stays leads to an object of this evaluation.
    is_kept: bool,
}

impl Heap {
    /// Adds an object; `None` if there is no room for it.
    pub(super) fn add(&mut self, object: Object) -> Option<Handle> {
        let bytes = self.bytes + object.bytes();
        if bytes > MAX_HEAP_BYTES {
            return None;
        }
        self.bytes = bytes;
        self.objects.push(object);
        Some(Handle(self.objects.len() - 1))
    }

    /// Whether `bytes` more would fit.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        bytes <= MAX_HEAP_BYTES - self.bytes.min(MAX_HEAP_BYTES)
    }

    /// The object, unless its evaluation has ended.
    pub(super) fn get(&self, handle: Handle) -> Option<&Object> {
        self.objects.get(handle.0)
    }

    /// The object, to change it in place: its length must stay.
    pub(super) fn get_mut(&mut self, handle: Handle) -> Option<&mut Object> {
        self.objects.get_mut(handle.0)
    }

    /// Puts another object in its place; false if there is no room for it.
    pub(super) fn replace(&mut self, handle: Handle, object: Object) -> bool {
        let Some(place) = self.objects.get_mut(handle.0) else { return false };
        let bytes = self.bytes - place.bytes() + object.bytes();
        if bytes > MAX_HEAP_BYTES {
            return false;
        }
        self.bytes = bytes;
        *place = object;
        true
    }

    /// Makes the objects of this evaluation stay.
    pub(super) fn keep(&mut self) {
        self.is_kept = true;
    }

    /// How many objects there are.
    pub(super) fn mark(&self) -> usize {
        self.objects.len()
    }

    /// Drops the objects behind a mark, unless they are to stay.
    pub(super) fn release(&mut self, mark: usize) {
        if !core::mem::take(&mut self.is_kept) && mark < self.objects.len() {
            self.bytes -= self.objects[mark..].iter().map(Object::bytes).sum::<usize>();
            self.objects.truncate(mark);
        }
    }
}
