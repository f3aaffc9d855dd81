//! The model folder, the urinary region and the reading, through their public doors.

mod body;
mod frame;
mod model_folder;
mod noise;
mod onnx;
mod real;

mod reading;
mod region;
