//! Against SciPy, scikit-image and NumPy, where a Python that has them is named in HILUM_ORACLE_PYTHON.

mod arrays;
mod oracle;
mod phantom;
mod stone_scan;
