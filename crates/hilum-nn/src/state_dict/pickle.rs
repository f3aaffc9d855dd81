//! The pickle machine of state dicts: a stack of plain values. Values refer to dicts, lists and tensors by number, so nothing nests in memory.
//!
//! Opcodes as CPython's `pickletools` lists them, protocols 2 to 5; only those that `torch.save` writes for dicts of tensors.

use std::rc::Rc;

use super::StateDictError;
use crate::weights::number::Number;

/// A value on the stack. Tuples are lists here: nobody can tell the difference.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// None, a truth value or a float: no key and no weight.
    Plain,
    Int(i64),
    Text(Rc<str>),
    List(usize),
    Dict(usize),
    Tensor(usize),
    Global(Global),
    /// A storage by number.
    Storage(usize),
}

/// The classes and functions that a state dict names. None is ever called: `REDUCE` builds what they would have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    /// A storage class; `None`: of a type whose values we do not read.
    Storage(Option<Number>),
}

impl Global {
    fn of(module: &str, name: &str) -> Result<Self, StateDictError> {
        Ok(match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2") => Self::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Self::RebuildParameter,
            ("torch", "HalfStorage") => Self::Storage(Some(Number::F16)),
            ("torch", "BFloat16Storage") => Self::Storage(Some(Number::Bf16)),
            ("torch", "FloatStorage") => Self::Storage(Some(Number::F32)),
            ("torch", "DoubleStorage") => Self::Storage(Some(Number::F64)),
            (
                "torch",
                "LongStorage" | "IntStorage" | "ShortStorage" | "CharStorage" | "ByteStorage" | "BoolStorage",
            ) => Self::Storage(None),
            _ => return Err(StateDictError::Global(format!("{module}.{name}"))),
        })
    }
}

/// Where a tensor's values lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TensorRef {
    /// `None`: not floating-point.
    pub(super) number: Option<Number>,
    /// Name of the file under `data/`.
    pub(super) storage: String,
    /// First value, in values.
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    /// Values from one index to the next; as many as extents.
    pub(super) strides: Vec<usize>,
}

/// Most axes of a tensor.
const MAX_AXES: usize = 16;

/// The finished machine.
#[derive(Default)]
pub(super) struct Pickle {
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: Vec<Value>,
    dicts: Vec<Vec<(Value, Value)>>,
    lists: Vec<Vec<Value>>,
    tensors: Vec<TensorRef>,
    storages: Vec<(Option<Number>, Rc<str>)>,
}

fn damaged(what: &str) -> StateDictError {
    StateDictError::Pickle(what.to_owned())
}

/// The bytes of the pickle, read from front to back.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], StateDictError> {
        let (head, rest) = self.0.split_at_checked(count).ok_or_else(|| damaged("it ends too early"))?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], StateDictError> {
        self.take(N)?.try_into().map_err(|_| damaged("it ends too early"))
    }

    fn byte(&mut self) -> Result<usize, StateDictError> {
        Ok(usize::from(self.array::<1>()?[0]))
    }

    fn four(&mut self) -> Result<usize, StateDictError> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    fn text(&mut self, length: usize) -> Result<&'a str, StateDictError> {
        std::str::from_utf8(self.take(length)?).map_err(|_| damaged("a text that is no UTF-8"))
    }

    fn line(&mut self) -> Result<&'a str, StateDictError> {
        let end = self.0.iter().position(|b| *b == b'\n').ok_or_else(|| damaged("it ends too early"))?;
        let line = self.text(end)?;
        self.take(1)?;
        Ok(line)
    }
}

impl Pickle {
    /// Runs a pickle to its end.
    pub(super) fn run(bytes: &[u8]) -> Result<Self, StateDictError> {
        let mut machine = Self::default();
        let mut reader = Reader(bytes);
        while machine.step(&mut reader)? {}
        match machine.stack.len() {
            1 => Ok(machine),
            n => Err(StateDictError::Pickle(format!("{n} values are left at its end"))),
        }
    }

    /// The value that was pickled.
    pub(super) fn root(&self) -> &Value {
        &self.stack[0]
    }

    pub(super) fn tensor(&self, id: usize) -> &TensorRef {
        &self.tensors[id]
    }

    pub(super) fn dict(&self, id: usize) -> &[(Value, Value)] {
        &self.dicts[id]
    }

    pub(super) fn list(&self, id: usize) -> &[Value] {
        &self.lists[id]
    }

    /// One opcode; whether there are more.
    fn step(&mut self, r: &mut Reader<'_>) -> Result<bool, StateDictError> {
        let op = r.array::<1>()?[0];
        match op {
            b'.' => return Ok(false),
            // PROTO and FRAME only announce.
            0x80 => {
                if !(2..=5).contains(&r.byte()?) {
                    return Err(damaged("a protocol that is not 2 to 5"));
                }
            }
            0x95 => drop(r.take(8)?),
            // NONE, NEWTRUE, NEWFALSE.
            b'N' | 0x88 | 0x89 => self.push(Value::Plain),
            b'K' => {
                let v = r.byte()? as i64;
                self.push(Value::Int(v));
            }
            b'M' => {
                let v = u16::from_le_bytes(r.array()?);
                self.push(Value::Int(v.into()));
            }
            b'J' => {
                let v = i32::from_le_bytes(r.array()?);
                self.push(Value::Int(v.into()));
            }
            // LONG1: two's complement of a length.
            0x8a => {
                let count = r.byte()?;
                let bytes = r.take(count)?;
                if count > 8 {
                    return Err(damaged("an integer of more than 64 bits"));
                }
                let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
                let mut all = [if negative { 0xff } else { 0 }; 8];
                all[..count].copy_from_slice(bytes);
                self.push(Value::Int(i64::from_le_bytes(all)));
            }
            b'G' => {
                r.take(8)?;
                self.push(Value::Plain);
            }
            b'X' => {
                let length = r.four()?;
                self.push(Value::Text(r.text(length)?.into()));
            }
            0x8c => {
                let length = r.byte()?;
                self.push(Value::Text(r.text(length)?.into()));
            }
            b'}' => self.new_dict(),
            b']' | b')' => self.new_list(Vec::new()),
            b'(' => self.marks.push(self.stack.len()),
            b't' => {
                let items = self.since_mark()?;
                self.new_list(items);
            }
            0x85..=0x87 => {
                let count = usize::from(op - 0x84);
                let from = self.stack.len().checked_sub(count).ok_or_else(|| damaged("a tuple of nothing"))?;
                let items = self.stack.split_off(from);
                self.new_list(items);
            }
            b'a' => {
                let value = self.pop()?;
                self.append(vec![value])?;
            }
            b'e' => {
                let items = self.since_mark()?;
                self.append(items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(vec![key, value])?;
            }
            b'u' => {
                let items = self.since_mark()?;
                self.set_items(items)?;
            }
            b'q' => {
                let at = r.byte()?;
                self.remember(at)?;
            }
            b'r' => {
                let at = r.four()?;
                self.remember(at)?;
            }
            0x94 => self.remember(self.memo.len())?,
            b'h' => {
                let at = r.byte()?;
                self.recall(at)?;
            }
            b'j' => {
                let at = r.four()?;
                self.recall(at)?;
            }
            b'c' => {
                let (module, name) = (r.line()?, r.line()?);
                self.push(Value::Global(Global::of(module, name)?));
            }
            0x93 => {
                let (Value::Text(name), Value::Text(module)) = (self.pop()?, self.pop()?) else {
                    return Err(damaged("a class without a name"));
                };
                self.push(Value::Global(Global::of(&module, &name)?));
            }
            b'Q' => {
                let id = self.pop()?;
                self.storage(&id)?;
            }
            b'R' => {
                let (arguments, global) = (self.pop()?, self.pop()?);
                self.reduce(&global, &arguments)?;
            }
            // BUILD sets attributes: of an OrderedDict its `_metadata`, which are no weights.
            b'b' => {
                drop(self.pop()?);
                if !matches!(self.stack.last(), Some(Value::Dict(_))) {
                    return Err(damaged("attributes for something that is no dict"));
                }
            }
            other => return Err(StateDictError::Pickle(format!("opcode {other:#04x}, which state dicts do not use"))),
        }
        Ok(true)
    }

    fn push(&mut self, value: Value) {
        self.stack.push(value);
    }

    fn pop(&mut self) -> Result<Value, StateDictError> {
        if self.marks.last().is_some_and(|m| *m >= self.stack.len()) {
            return Err(damaged("it takes more than there is"));
        }
        self.stack.pop().ok_or_else(|| damaged("it takes more than there is"))
    }

    fn since_mark(&mut self) -> Result<Vec<Value>, StateDictError> {
        let mark = self.marks.pop().filter(|m| *m <= self.stack.len()).ok_or_else(|| damaged("no mark"))?;
        Ok(self.stack.split_off(mark))
    }

    fn new_dict(&mut self) {
        self.dicts.push(Vec::new());
        self.push(Value::Dict(self.dicts.len() - 1));
    }

    fn new_list(&mut self, items: Vec<Value>) {
        self.lists.push(items);
        self.push(Value::List(self.lists.len() - 1));
    }

    fn append(&mut self, items: Vec<Value>) -> Result<(), StateDictError> {
        match self.stack.last() {
            Some(Value::List(id)) => self.lists[*id].extend(items),
            _ => return Err(damaged("items for something that is no list")),
        }
        Ok(())
    }

    fn set_items(&mut self, items: Vec<Value>) -> Result<(), StateDictError> {
        let (Some(Value::Dict(id)), (pairs, [])) = (self.stack.last(), items.as_chunks::<2>()) else {
            return Err(damaged("items for something that is no dict"));
        };
        self.dicts[*id].extend(pairs.iter().map(|[key, value]| (key.clone(), value.clone())));
        Ok(())
    }

    fn remember(&mut self, at: usize) -> Result<(), StateDictError> {
        let value = self.stack.last().cloned().ok_or_else(|| damaged("nothing to remember"))?;
        // Picklers number what they remember without gaps.
        match self.memo.len() {
            n if at < n => self.memo[at] = value,
            n if at == n => self.memo.push(value),
            _ => return Err(damaged("a memo with gaps")),
        }
        Ok(())
    }

    fn recall(&mut self, at: usize) -> Result<(), StateDictError> {
        let value = self.memo.get(at).cloned().ok_or_else(|| damaged("it recalls what it never remembered"))?;
        self.push(value);
        Ok(())
    }

    /// `("storage", class, key, device, count)`.
    fn storage(&mut self, id: &Value) -> Result<(), StateDictError> {
        let Value::List(id) = id else { return Err(damaged("a storage of another form")) };
        match self.lists[*id].as_slice() {
            [Value::Text(kind), Value::Global(Global::Storage(number)), Value::Text(key), _, _]
                if &**kind == "storage" =>
            {
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                if key.is_empty() || !key.chars().all(plain) {
                    return Err(damaged("a storage whose name is no file name"));
                }
                self.storages.push((*number, key.clone()));
                self.push(Value::Storage(self.storages.len() - 1));
                Ok(())
            }
            _ => Err(damaged("a storage of another form")),
        }
    }

    /// Builds what the named function would have returned.
    fn reduce(&mut self, global: &Value, arguments: &Value) -> Result<(), StateDictError> {
        let (Value::Global(global), Value::List(arguments)) = (global, arguments) else {
            return Err(damaged("a call of something that is no class"));
        };
        let arguments = &self.lists[*arguments];
        let sizes = |value: &Value| match value {
            Value::List(id) if self.lists[*id].len() <= MAX_AXES => self.lists[*id]
                .iter()
                .map(|v| if let Value::Int(n) = v { usize::try_from(*n).ok() } else { None })
                .collect::<Option<Vec<_>>>(),
            _ => None,
        };
        match (global, arguments.as_slice()) {
            (Global::OrderedDict, []) => self.new_dict(),
            (Global::RebuildTensor, [Value::Storage(storage), Value::Int(offset), shape, strides, ..]) => {
                let (number, key) = &self.storages[*storage];
                let (Some(shape), Some(strides), Ok(offset)) = (sizes(shape), sizes(strides), usize::try_from(*offset))
                else {
                    return Err(damaged("a tensor with a shape that is none"));
                };
                if shape.len() != strides.len() {
                    return Err(damaged("a tensor with a shape that is none"));
                }
                self.tensors.push(TensorRef { number: *number, storage: key.to_string(), offset, shape, strides });
                self.push(Value::Tensor(self.tensors.len() - 1));
            }
            (Global::RebuildParameter, [tensor @ Value::Tensor(_), ..]) => {
                let tensor = tensor.clone();
                self.push(tensor);
            }
            _ => return Err(damaged("a call with arguments of another form")),
        }
        Ok(())
    }
}
