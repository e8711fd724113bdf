//! Infinite numbers in JSON, which has none: `null` stands for +∞, "it never came".

use serde::{Deserialize, Deserializer, Serializer};

/// Writes a number; infinite: `null`.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_finite() {
        serializer.serialize_f64(*value)
    } else {
        serializer.serialize_none()
    }
}

/// Reads a number; `null`: +∞.
///
/// # Errors
/// Those of the deserializer.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::INFINITY))
}

/// The same of a list.
pub mod list {
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes numbers; infinite ones as `null`.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(values: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|v| v.is_finite().then_some(*v)))
    }

    /// Reads numbers; `null` as +∞.
    ///
    /// # Errors
    /// Those of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
        let values = Vec::<Option<f64>>::deserialize(deserializer)?;
        let each = values.into_iter();
        Ok(each.map(|v| v.unwrap_or(f64::INFINITY)).collect())
    }
}
