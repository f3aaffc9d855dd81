//! PyTorch's `.pt` and `.pth` files, as far as they are state dicts: a zip of a pickle and of raw storages (PyTorch 1.6 and later).
//!
//! A pickle is a program. Ours ([`pickle`]) knows dicts, lists, tuples, numbers, strings, `OrderedDict` and tensors; it looks nothing up, calls nothing,
//! and refuses whatever else a file names. Work and memory are bounded by the length of the file.

mod pickle;

use std::collections::HashMap;
use std::io::{Cursor, Read};

use zip::{CompressionMethod, ZipArchive};

use self::pickle::{Pickle, TensorRef, Value};
use crate::weights::Tensor;

/// What a `.pt` file held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateDict {
    /// The floating-point tensors in the order of the file: F32, or F16, BF16 and F64 as F32. Nested dicts and lists give keys with dots
    /// (`state_dict.conv1.weight`): [`crate::weights::KeyMap`] takes prefixes off.
    pub tensors: Vec<Tensor>,
    /// Keys of everything else: integer tensors (BatchNorm's `num_batches_tracked`), numbers, strings.
    pub others: Vec<String>,
}

/// Deepest nesting of dicts, lists and tuples.
const MAX_DEPTH: usize = 32;
/// The first bytes of files of `torch.save` before 1.6: protocol 2 and a long of ten bytes, the magic number 0x1950a86a20f9469cfc6c.
const LEGACY: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";

impl StateDict {
    /// Reads the file.
    pub fn read(bytes: &[u8]) -> Result<Self, StateDictError> {
        if bytes.starts_with(LEGACY) {
            return Err(StateDictError::Legacy);
        }
        let mut archive = Archive::open(bytes)?;
        let pickle = Pickle::run(&archive.read("data.pkl")?)?;
        let mut found = Found { dict: Self::default(), references: Vec::new(), left: bytes.len(), pickle: &pickle };
        found.collect("", pickle.root(), 0)?;
        let Found { mut dict, references, .. } = found;
        // Every stored value takes at least a byte: only tensors that repeat their values could be larger.
        let mut left = bytes.len().saturating_mul(4);
        let mut storages: HashMap<String, Vec<u8>> = HashMap::new();
        for (name, tensor) in references {
            let too_large = || StateDictError::Tensor { key: name.clone(), problem: "is larger than the file" };
            let count = tensor.shape.iter().try_fold(1_usize, |n, d| n.checked_mul(*d)).ok_or_else(too_large)?;
            left = left.checked_sub(count).ok_or_else(too_large)?;
            if !storages.contains_key(&tensor.storage) {
                storages.insert(tensor.storage.clone(), archive.read(&format!("data/{}", tensor.storage))?);
            }
            let data = gather(tensor, count, &storages[&tensor.storage]);
            let data = data.ok_or(StateDictError::Tensor { key: name.clone(), problem: "leaves its storage" })?;
            dict.tensors.push(Tensor { name, shape: tensor.shape.clone(), data });
        }
        Ok(dict)
    }
}

/// The values of a tensor in row-major order; `None` where one lies outside the storage.
fn gather(tensor: &TensorRef, count: usize, storage: &[u8]) -> Option<Vec<f32>> {
    let number = tensor.number?;
    if count == 0 {
        return Some(Vec::new());
    }
    let mut reach = tensor.offset;
    for (extent, stride) in tensor.shape.iter().zip(&tensor.strides) {
        reach = reach.checked_add((extent - 1).checked_mul(*stride)?)?;
    }
    let size = number.size();
    if reach.checked_add(1)?.checked_mul(size)? > storage.len() {
        return None;
    }
    let mut data = Vec::with_capacity(count);
    let mut index = vec![0; tensor.shape.len()];
    let mut at = tensor.offset;
    loop {
        data.push(number.value(&storage[at * size..]));
        // The next index: the last axis first.
        let mut axis = index.len();
        loop {
            if axis == 0 {
                return Some(data);
            }
            axis -= 1;
            index[axis] += 1;
            at += tensor.strides[axis];
            if index[axis] < tensor.shape[axis] {
                break;
            }
            at -= index[axis] * tensor.strides[axis];
            index[axis] = 0;
        }
    }
}

/// The zip; every name lies in one folder, called as the file was when it was saved.
struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    folder: String,
    /// Bytes that may still be read: files of one archive do not overlap, so together they are no larger than it.
    left: u64,
}

impl<'a> Archive<'a> {
    fn open(bytes: &'a [u8]) -> Result<Self, StateDictError> {
        let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(|e| StateDictError::Zip(e.to_string()))?;
        let mut folder = None;
        let mut script = false;
        for i in 0..zip.len() {
            let file = zip.by_index_raw(i).map_err(|e| StateDictError::Zip(e.to_string()))?;
            let name = file.name().map_err(|e| StateDictError::Zip(e.to_string()))?.into_owned();
            if let Some(prefix) = name.strip_suffix("/data.pkl") {
                folder = Some(prefix.to_owned());
            }
            script |= name.ends_with("/constants.pkl");
        }
        let folder = folder.ok_or_else(|| StateDictError::Zip("no data.pkl in it".into()))?;
        if script {
            return Err(StateDictError::TorchScript);
        }
        let mut archive = Self { zip, folder, left: bytes.len() as u64 };
        if archive.zip.index_for_name(&format!("{}/byteorder", archive.folder)).is_some()
            && archive.read("byteorder")? != b"little"
        {
            return Err(StateDictError::ByteOrder);
        }
        Ok(archive)
    }

    /// A file of the archive. PyTorch stores without compression.
    fn read(&mut self, name: &str) -> Result<Vec<u8>, StateDictError> {
        let path = format!("{}/{name}", self.folder);
        let zip = |e: String| StateDictError::Zip(format!("{path}: {e}"));
        let file = self.zip.by_name(&path).map_err(|e| zip(e.to_string()))?;
        if file.compression() != CompressionMethod::Stored {
            return Err(zip("is compressed, which torch.save never does".into()));
        }
        let mut bytes = Vec::new();
        file.take(self.left + 1).read_to_end(&mut bytes).map_err(|e| zip(e.to_string()))?;
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(|| zip("its files overlap".into()))?;
        Ok(bytes)
    }
}

/// What was found on the way through the value.
struct Found<'a> {
    dict: StateDict,
    references: Vec<(String, &'a TensorRef)>,
    /// Values and letters of keys that may still be looked at: a pickle can name one dict many times over.
    left: usize,
    pickle: &'a Pickle,
}

impl Found<'_> {
    fn collect(&mut self, key: &str, value: &Value, depth: usize) -> Result<(), StateDictError> {
        self.left = self.left.checked_sub(1 + key.len()).ok_or(StateDictError::Nesting)?;
        if depth > MAX_DEPTH {
            return Err(StateDictError::Nesting);
        }
        let below = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
        match *value {
            Value::Tensor(id) => match self.pickle.tensor(id) {
                tensor if tensor.number.is_some() => self.references.push((key.to_owned(), tensor)),
                _ => self.dict.others.push(key.to_owned()),
            },
            Value::Dict(id) => {
                for (name, value) in self.pickle.dict(id) {
                    let name = match name {
                        Value::Text(text) => text.to_string(),
                        Value::Int(number) => number.to_string(),
                        _ => return Err(StateDictError::Pickle("a dict with a key that is no text or number".into())),
                    };
                    self.collect(&below(&name), value, depth + 1)?;
                }
            }
            Value::List(id) => {
                for (i, value) in self.pickle.list(id).iter().enumerate() {
                    self.collect(&below(&i.to_string()), value, depth + 1)?;
                }
            }
            Value::Int(_) | Value::Text(_) | Value::Plain => {
                self.dict.others.push(key.to_owned());
            }
            Value::Global(_) | Value::Storage(_) => {
                return Err(StateDictError::Pickle("a class or storage where a value belongs".into()));
            }
        }
        Ok(())
    }
}

/// Why a file is no state dict.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateDictError {
    /// A file of `torch.save` before version 1.6.
    #[error("PyTorch file: the format before PyTorch 1.6; load it there and save it again")]
    Legacy,
    /// A compiled model.
    #[error("PyTorch file: a TorchScript model; save its state_dict() instead")]
    TorchScript,
    /// Written on a big-endian machine.
    #[error("PyTorch file: its byte order is not little endian")]
    ByteOrder,
    /// Not a zip of the expected form.
    #[error("PyTorch file: not a readable zip of torch.save: {0}")]
    Zip(String),
    /// The pickle names a class or function that no state dict needs. Nothing of it was executed.
    #[error("PyTorch file: it asks for {0}, which no state dict needs; save model.state_dict() instead of the model")]
    Global(String),
    /// The pickle is damaged, or uses what state dicts do not.
    #[error("PyTorch file: pickle: {0}")]
    Pickle(String),
    /// Dicts within dicts without end.
    #[error("PyTorch file: nested too deeply or too often")]
    Nesting,
    /// A tensor that its file cannot hold.
    #[error("PyTorch file: tensor {key} {problem}")]
    Tensor {
        /// The key.
        key: String,
        /// What is wrong.
        problem: &'static str,
    },
}
