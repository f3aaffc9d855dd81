//! The messages of a model that a network is made from (field numbers of onnx.proto), borrowed from the file.

use std::collections::HashMap;

use super::OnnxError;
use super::protobuf::Fields;
use crate::weights::number::Number;

/// A model, as far as it is read.
#[derive(Default)]
pub(super) struct Model<'a> {
    /// Version of the default operator set.
    pub(super) opset: i64,
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) constants: HashMap<&'a str, Constant<'a>>,
    /// Inputs that are no constants.
    pub(super) inputs: Vec<Input<'a>>,
    pub(super) outputs: Vec<&'a str>,
}

/// One operator.
#[derive(Default)]
pub(super) struct Node<'a> {
    pub(super) op: &'a str,
    pub(super) domain: &'a str,
    pub(super) name: &'a str,
    pub(super) inputs: Vec<&'a str>,
    pub(super) outputs: Vec<&'a str>,
    pub(super) attributes: Vec<Attribute<'a>>,
}

/// One attribute; only the field of its type is filled.
#[derive(Clone, Default)]
pub(super) struct Attribute<'a> {
    pub(super) name: &'a str,
    pub(super) float: Option<f32>,
    pub(super) int: Option<i64>,
    pub(super) text: Option<&'a str>,
    pub(super) floats: Vec<f32>,
    pub(super) ints: Vec<i64>,
    pub(super) tensor: Option<Constant<'a>>,
}

/// An input of the graph. Shape: `None` where an extent is dynamic.
pub(super) struct Input<'a> {
    pub(super) name: &'a str,
    pub(super) kind: i64,
    pub(super) shape: Vec<Option<i64>>,
}

/// A tensor.
#[derive(Clone, Default)]
pub(super) struct Constant<'a> {
    pub(super) name: &'a str,
    pub(super) dims: Vec<i64>,
    kind: i64,
    raw: Option<&'a [u8]>,
    floats: Vec<f32>,
    ints: Vec<i64>,
    external: bool,
}

/// `TensorProto.DataType.FLOAT`.
pub(super) const FLOAT: i64 = 1;
/// `TensorProto.DataType.INT64`.
const INT64: i64 = 7;
/// `TensorProto.DataType.FLOAT16`.
pub(super) const FLOAT16: i64 = 10;
/// `TensorProto.DataType.DOUBLE`.
pub(super) const DOUBLE: i64 = 11;
/// `TensorProto.DataType.BFLOAT16`.
pub(super) const BFLOAT16: i64 = 16;

impl<'a> Model<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, OnnxError> {
        let mut model = Self::default();
        let mut graph = None;
        for field in Fields(bytes) {
            match field? {
                (7, f) => graph = Some(f.bytes()?),
                (8, f) => {
                    let (mut domain, mut version) = ("", 0);
                    for field in Fields(f.bytes()?) {
                        match field? {
                            (1, f) => domain = f.text()?,
                            (2, f) => version = f.int()?,
                            _ => {}
                        }
                    }
                    if matches!(domain, "" | "ai.onnx") {
                        model.opset = version;
                    }
                }
                _ => {}
            }
        }
        let mut inputs = Vec::new();
        for field in Fields(graph.ok_or(OnnxError::Format("there is no graph in it"))?) {
            match field? {
                (1, f) => model.nodes.push(Node::read(f.bytes()?)?),
                (5, f) => {
                    let constant = Constant::read(f.bytes()?)?;
                    model.constants.insert(constant.name, constant);
                }
                (11, f) => inputs.push(Input::read(f.bytes()?)?),
                (12, f) => model.outputs.push(Input::read(f.bytes()?)?.name),
                (15, _) => return Err(OnnxError::Format("sparse initialisers")),
                _ => {}
            }
        }
        model.take_constants()?;
        model.inputs = inputs.into_iter().filter(|i| !model.constants.contains_key(i.name)).collect();
        Ok(model)
    }

    /// Constants that are written as nodes.
    fn take_constants(&mut self) -> Result<(), OnnxError> {
        let mut nodes = std::mem::take(&mut self.nodes);
        for node in &mut nodes {
            if node.op == "Constant"
                && matches!(node.domain, "" | "ai.onnx")
                && let Some(constant) = node.attributes.iter_mut().find_map(Attribute::constant)
                && let [name] = node.outputs[..]
                && self.constants.insert(name, constant).is_some()
            {
                return Err(OnnxError::Twice(name.to_owned()));
            }
        }
        nodes.retain(|n| n.outputs.first().is_none_or(|o| n.op != "Constant" || !self.constants.contains_key(o)));
        self.nodes = nodes;
        Ok(())
    }
}

impl<'a> Node<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, OnnxError> {
        let mut node = Self::default();
        for field in Fields(bytes) {
            match field? {
                (1, f) => node.inputs.push(f.text()?),
                (2, f) => node.outputs.push(f.text()?),
                (3, f) => node.name = f.text()?,
                (4, f) => node.op = f.text()?,
                (5, f) => node.attributes.push(Attribute::read(f.bytes()?)?),
                (7, f) => node.domain = f.text()?,
                _ => {}
            }
        }
        Ok(node)
    }

    /// What errors call the node: its name, else its first output.
    pub(super) fn shown(&self) -> String {
        let names = [self.name].into_iter().chain(self.outputs.iter().copied());
        names.into_iter().find(|n| !n.is_empty()).unwrap_or("(unnamed)").to_owned()
    }
}

impl<'a> Attribute<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, OnnxError> {
        let mut attribute = Self::default();
        for field in Fields(bytes) {
            match field? {
                (1, f) => attribute.name = f.text()?,
                (2, f) => attribute.float = Some(f.float()?),
                (3, f) => attribute.int = Some(f.int()?),
                (4, f) => attribute.text = Some(f.text()?),
                (5, f) => attribute.tensor = Some(Constant::read(f.bytes()?)?),
                (7, f) => f.floats(&mut attribute.floats)?,
                (8, f) => f.ints(&mut attribute.ints)?,
                _ => {}
            }
        }
        Ok(attribute)
    }

    /// What a Constant node's attribute holds; it is taken from it.
    fn constant(&mut self) -> Option<Constant<'a>> {
        let list = |count: usize| vec![count as i64];
        let (floats, ints) = (std::mem::take(&mut self.floats), std::mem::take(&mut self.ints));
        Some(match self.name {
            "value" => self.tensor.take()?,
            "value_float" => Constant { kind: FLOAT, floats: vec![self.float?], ..Constant::default() },
            "value_floats" => Constant { kind: FLOAT, dims: list(floats.len()), floats, ..Constant::default() },
            "value_int" => Constant { kind: INT64, ints: vec![self.int?], ..Constant::default() },
            "value_ints" => Constant { kind: INT64, dims: list(ints.len()), ints, ..Constant::default() },
            _ => return None,
        })
    }
}

impl<'a> Input<'a> {
    /// `ValueInfoProto`: type -> tensor type -> element type and shape -> extents.
    fn read(bytes: &'a [u8]) -> Result<Self, OnnxError> {
        let mut input = Self { name: "", kind: 0, shape: Vec::new() };
        let mut tensor: &[u8] = &[];
        for field in Fields(bytes) {
            match field? {
                (1, f) => input.name = f.text()?,
                (2, f) => {
                    for field in Fields(f.bytes()?) {
                        if let (1, f) = field? {
                            tensor = f.bytes()?;
                        }
                    }
                }
                _ => {}
            }
        }
        for field in Fields(tensor) {
            match field? {
                (1, f) => input.kind = f.int()?,
                (2, f) => {
                    for field in Fields(f.bytes()?) {
                        let (1, f) = field? else { continue };
                        let mut extent = None;
                        for field in Fields(f.bytes()?) {
                            if let (1, f) = field? {
                                extent = Some(f.int()?);
                            }
                        }
                        input.shape.push(extent);
                    }
                }
                _ => {}
            }
        }
        Ok(input)
    }
}

impl<'a> Constant<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, OnnxError> {
        let mut constant = Self::default();
        for field in Fields(bytes) {
            match field? {
                (1, f) => f.ints(&mut constant.dims)?,
                (2, f) => constant.kind = f.int()?,
                (4, f) => f.floats(&mut constant.floats)?,
                (7, f) => f.ints(&mut constant.ints)?,
                (8, f) => constant.name = f.text()?,
                (9, f) => constant.raw = Some(f.bytes()?),
                (13, _) => constant.external = true,
                (14, f) => constant.external |= f.int()? != 0,
                _ => {}
            }
        }
        Ok(constant)
    }

    /// Extents and values, row-major; `name` is what errors call it.
    pub(super) fn values(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), OnnxError> {
        let bad = |problem| OnnxError::Constant { name: name.to_owned(), problem };
        if self.external {
            return Err(bad("lies in another file; save the model in one"));
        }
        let number = match self.kind {
            FLOAT => Number::F32,
            FLOAT16 => Number::F16,
            DOUBLE => Number::F64,
            BFLOAT16 => Number::Bf16,
            _ => return Err(bad("is not floating-point")),
        };
        let shape: Option<Vec<usize>> = self.dims.iter().map(|d| usize::try_from(*d).ok()).collect();
        let shape = shape.ok_or_else(|| bad("has a negative extent"))?;
        let count = shape.iter().try_fold(1_usize, |n, d| n.checked_mul(*d));
        let differs = || bad("has another number of values than its extents say");
        let fits = |got: usize| (count == Some(got)).then_some(()).ok_or_else(differs);
        let data = match self.raw {
            Some(raw) if raw.len().is_multiple_of(number.size()) => {
                fits(raw.len() / number.size())?;
                number.values(raw)
            }
            None if self.kind == FLOAT => {
                fits(self.floats.len())?;
                self.floats.clone()
            }
            _ => return Err(bad("has no raw data of whole values")),
        };
        Ok((shape, data))
    }

    /// The one value of a constant that has only one, of no more axes than maps have.
    pub(super) fn scalar(&self) -> Option<f32> {
        if self.dims.len() > 4 || self.dims.iter().any(|d| *d != 1) {
            return None;
        }
        self.values("").ok()?.1.first().copied()
    }

    /// The values of a short list of whole numbers, or of one: a shape, axes or an index.
    pub(super) fn integers(&self) -> Option<Vec<i64>> {
        let count = match self.dims[..] {
            [] => 1,
            [count @ 0..=16] => count as usize,
            _ => return None,
        };
        let values = match self.raw {
            Some(raw) if raw.len() == 8 * count => {
                raw.as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b)).collect()
            }
            None if self.ints.len() == count => self.ints.clone(),
            _ => return None,
        };
        (self.kind == INT64 && !self.external).then_some(values)
    }
}
