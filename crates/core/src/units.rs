//! Physical quantities. Each is a scaled integer, so it is finite by construction, compares exactly, and has the same value
//! in the journal, in every backend and on the screen.
//!
//! The resolution (0.01 °C, 0.01 %, 1 Pa) is finer than the accuracy of every sensor FilamentBox knows.

use std::fmt;

/// Rounds `value * scale` to an integer, or `None` when it is not finite or outside `range` (in scaled units).
fn scaled(value: f64, scale: f64, range: std::ops::RangeInclusive<i32>) -> Option<i32> {
    let rounded = (value * scale).round();
    // Casting is exact: the range lies within i32.
    (rounded.is_finite() && (f64::from(*range.start())..=f64::from(*range.end())).contains(&rounded))
        .then_some(rounded as i32)
}

/// A temperature in degrees Celsius, to 0.01 °C, from -100 to 300 °C.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Celsius(i32);

impl Celsius {
    /// `None` when `degrees` is not finite or outside -100..=300.
    pub fn new(degrees: f64) -> Option<Self> {
        scaled(degrees, 100.0, -10_000..=30_000).map(Self)
    }

    /// From hundredths of a degree; `None` outside -100..=300 °C.
    pub fn from_centi(centi: i32) -> Option<Self> {
        (-10_000..=30_000).contains(&centi).then_some(Self(centi))
    }

    /// Hundredths of a degree.
    pub fn centi(self) -> i32 {
        self.0
    }

    /// How far this lies above `other`, in °C: exact to the hundredth, negative when it lies below.
    pub fn above(self, other: Self) -> f64 {
        f64::from(self.0 - other.0) / 100.0
    }

    /// Degrees Celsius.
    pub fn degrees(self) -> f64 {
        f64::from(self.0) / 100.0
    }

    /// Thousandths of a degree Fahrenheit: exact, as one hundredth of a degree Celsius is 18 of them.
    pub fn milli_fahrenheit(self) -> i32 {
        self.0 * 18 + 32_000
    }
}

/// Relative humidity in percent, to 0.01 %, from 0 to 100 %.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelativeHumidity(u16);

impl RelativeHumidity {
    /// `None` when `percent` is not finite or outside 0..=100.
    pub fn new(percent: f64) -> Option<Self> {
        scaled(percent, 100.0, 0..=10_000).and_then(Self::from_centi)
    }

    /// From hundredths of a percent; `None` outside 0..=100 %.
    pub fn from_centi(centi: i32) -> Option<Self> {
        u16::try_from(centi).ok().filter(|c| *c <= 10_000).map(Self)
    }

    /// Hundredths of a percent.
    pub fn centi(self) -> i32 {
        i32::from(self.0)
    }

    /// Percent.
    pub fn percent(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

/// An air pressure in hectopascal, to 1 Pa, from 100 to 1200 hPa.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hectopascal(i32);

impl Hectopascal {
    /// `None` when `hectopascal` is not finite or outside 100..=1200.
    pub fn new(hectopascal: f64) -> Option<Self> {
        scaled(hectopascal, 100.0, 10_000..=120_000).map(Self)
    }

    /// From pascal; `None` outside 100..=1200 hPa.
    pub fn from_pascal(pascal: i32) -> Option<Self> {
        (10_000..=120_000).contains(&pascal).then_some(Self(pascal))
    }

    /// Pascal.
    pub fn pascal(self) -> i32 {
        self.0
    }

    /// Hectopascal.
    pub fn hectopascal(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

/// Saturation vapour pressure over water in hPa (Magnus formula, WMO-No. 8, 2018, Annex 4.B; -45 to 60 °C within 0.6 %).
pub fn saturation_vapour_pressure_hpa(temperature_c: f64) -> f64 {
    6.112 * ((17.62 * temperature_c) / (243.12 + temperature_c)).exp()
}

/// Water in the air in g/m³, from the ideal gas law for water vapour (specific gas constant 461.5 J/(kg K)).
pub fn absolute_humidity_g_m3(temperature_c: f64, relative_humidity_pct: f64) -> f64 {
    let vapour_pressure_pa = saturation_vapour_pressure_hpa(temperature_c) * relative_humidity_pct;
    1000.0 * vapour_pressure_pa / (461.5 * (temperature_c + 273.15))
}

/// Dew point in °C (inverse Magnus formula); `None` at 0 %, where there is none.
pub fn dew_point_c(temperature_c: f64, relative_humidity_pct: f64) -> Option<f64> {
    if relative_humidity_pct <= 0.0 {
        return None;
    }
    let gamma = (relative_humidity_pct / 100.0).ln() + 17.62 * temperature_c / (243.12 + temperature_c);
    Some(243.12 * gamma / (17.62 - gamma))
}

macro_rules! display {
    ($($name:ty: $value:ident, $decimals:literal, $unit:literal;)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!("{:.", $decimals, "} ", $unit), self.$value())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}
display! {
    Celsius: degrees, "2", "°C";
    RelativeHumidity: percent, "2", "%";
    Hectopascal: hectopascal, "2", "hPa";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_every_limit() {
        assert!(Celsius::new(300.0).is_some() && Celsius::new(300.01).is_none());
        assert!(Celsius::new(-100.0).is_some() && Celsius::new(-100.01).is_none());
        assert!(RelativeHumidity::new(100.0).is_some() && RelativeHumidity::new(100.01).is_none());
        assert!(RelativeHumidity::new(0.0).is_some() && RelativeHumidity::new(-0.01).is_none());
        assert!(Hectopascal::new(1200.0).is_some() && Hectopascal::new(1200.01).is_none());
        for not_finite in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(Celsius::new(not_finite).is_none());
            assert!(RelativeHumidity::new(not_finite).is_none());
            assert!(Hectopascal::new(not_finite).is_none());
        }
    }

    #[test]
    fn fahrenheit_is_exact() {
        for (celsius, milli_fahrenheit) in [(0.0, 32_000), (100.0, 212_000), (-40.0, -40_000), (25.08, 77_144)] {
            assert_eq!(Celsius::new(celsius).expect("in range").milli_fahrenheit(), milli_fahrenheit);
        }
    }

    /// Reference values: WMO-No. 8 Annex 4.B gives 23.37 hPa at 20 °C; the others follow by the gas law.
    #[test]
    fn psychrometrics_match_reference_values() {
        fn close(a: f64, b: f64, tolerance: f64) {
            assert!((a - b).abs() < tolerance, "{a} is not {b} ± {tolerance}");
        }
        close(saturation_vapour_pressure_hpa(20.0), 23.37, 0.05);
        close(absolute_humidity_g_m3(20.0, 100.0), 17.3, 0.1);
        close(absolute_humidity_g_m3(25.0, 50.0), 11.5, 0.1);
        close(dew_point_c(20.0, 50.0).expect("above 0 %"), 9.26, 0.05);
        close(dew_point_c(20.0, 100.0).expect("above 0 %"), 20.0, 0.001);
        assert_eq!(dew_point_c(20.0, 0.0), None);
    }
}
