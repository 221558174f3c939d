//! What a simulated box is made of.

/// A box, its room and its contents. Every number may be changed; [`super::BoxWorld::new`] keeps each within physical limits.
///
/// The conductances come from surface times film coefficient, the rest from masses and specific heats. They are calibrated
/// against published design figures only, not against a real box.
#[derive(Clone, PartialEq, Debug)]
pub struct BoxParameters {
    /// Inner volume in litres.
    pub volume_l: f64,
    /// Electrical power of the heater in watts while on.
    pub heater_w: f64,
    /// Heat capacity of the heating element in J/K.
    pub heater_heat_capacity_j_k: f64,
    /// From the element to the air, in W/K.
    pub heater_to_air_w_k: f64,
    /// Heat capacity of what warms with the air: shelf, cables, fan, sensor; in J/K.
    pub fittings_heat_capacity_j_k: f64,
    /// Heat capacity of the walls in J/K.
    pub wall_heat_capacity_j_k: f64,
    /// From the air to the walls, in W/K.
    pub air_to_wall_w_k: f64,
    /// From the walls to the room, in W/K.
    pub wall_to_room_w_k: f64,
    /// Number of spools of about 1 kg.
    pub spools: u32,
    /// Heat capacity of one spool in J/K.
    pub spool_heat_capacity_j_k: f64,
    /// From the air to one spool, in W/K.
    pub air_to_spool_w_k: f64,
    /// A running fan multiplies what passes between the air and walls, spools and surfaces by this.
    pub fan_mixing: f64,
    /// Water in one spool at 100 % relative humidity, in g. The isotherm is a straight line (Henry's law), as is usual for PLA.
    pub spool_water_g: f64,
    /// Air that one spool's filament exchanges its water with, in l/s: slow.
    pub spool_exchange_l_s: f64,
    /// Water on walls, cardboard and outermost windings at 100 %, in g.
    pub surface_water_g: f64,
    /// Air that these surfaces exchange their water with, in l/s: quick.
    pub surface_exchange_l_s: f64,
    /// Silica gel in g. It holds 0.54 g/g at 100 %, on a straight line (27 % at 50 % relative humidity).
    pub desiccant_g: f64,
    /// Air that reaches the desiccant by itself, in l/s.
    pub desiccant_still_l_s: f64,
    /// Air that the fan blows through the desiccant, in l/s.
    pub fan_flow_l_s: f64,
    /// Air that leaks in from the room and out again, in l/h.
    pub leak_l_h: f64,
    /// How often the lid is opened, 0 for never.
    pub lid_openings_per_day: f64,
    /// Mean temperature of the room in °C.
    pub room_temperature_c: f64,
    /// Half of the room's daily change of temperature, in °C.
    pub room_temperature_swing_c: f64,
    /// Mean relative humidity of the room in %.
    pub room_humidity_pct: f64,
    /// Half of the room's daily change of relative humidity, in %.
    pub room_humidity_swing_pct: f64,
    /// Temperature of everything in the box at the start, in °C.
    pub start_temperature_c: f64,
    /// Relative humidity of the air and the surfaces at the start, in %.
    pub start_humidity_pct: f64,
    /// The humidity that the spools are in balance with at the start, in %.
    pub spool_start_humidity_pct: f64,
    /// The same for the desiccant: 3 % is freshly dried.
    pub desiccant_start_humidity_pct: f64,
    /// The sensor's lag in s.
    pub sensor_lag_s: f64,
    /// Deviation of the sensor's temperature noise in °C.
    pub temperature_noise_c: f64,
    /// Deviation of the sensor's humidity noise in %.
    pub humidity_noise_pct: f64,
}

/// How the air moves over walls and spools while the fan is off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Convection {
    /// By itself.
    Still,
    /// Blown by the heater's own fan.
    Forced,
}

impl Convection {
    /// Film coefficients inside and outside in W/(m² K): usual figures for free and for forced convection of air.
    fn films(self) -> (f64, f64) {
        match self {
            Self::Still => (5.5, 5.0),
            Self::Forced => (9.5, 8.0),
        }
    }
}

/// A spool's surface in m²: 20 cm across, 6.5 cm wide, both sides.
const SPOOL_SURFACE_M2: f64 = 0.1;
/// 2 mm of polypropylene in J/(K m²).
const WALL_J_K_M2: f64 = 3_200.0;

impl BoxParameters {
    /// A plain plastic box of `volume_l` litres with a heater of `heater_w` watts and `spools` spools.
    pub fn of(heater_w: f64, volume_l: f64, spools: u32, convection: Convection) -> Self {
        let (film_inside, film_outside) = convection.films();
        // A cube's surface, and a tenth more because boxes are not cubes.
        let surface_m2 = 6.6 * (volume_l / 1000.0).powf(2.0 / 3.0);
        Self {
            volume_l,
            heater_w,
            heater_heat_capacity_j_k: 0.2 * heater_w,
            heater_to_air_w_k: heater_w / 50.0,
            fittings_heat_capacity_j_k: 2.0 * volume_l,
            wall_heat_capacity_j_k: surface_m2 * WALL_J_K_M2,
            air_to_wall_w_k: surface_m2 * film_inside,
            wall_to_room_w_k: surface_m2 * film_outside,
            spools,
            spool_heat_capacity_j_k: 1_300.0,
            air_to_spool_w_k: SPOOL_SURFACE_M2 * film_inside,
            fan_mixing: 1.3,
            spool_water_g: 6.0,
            spool_exchange_l_s: 0.002,
            surface_water_g: volume_l / 40.0,
            surface_exchange_l_s: volume_l / 600.0,
            desiccant_g: volume_l * 30.0,
            desiccant_still_l_s: volume_l / 200_000.0,
            fan_flow_l_s: volume_l / 150.0,
            leak_l_h: volume_l / 12.0,
            lid_openings_per_day: 2.0,
            room_temperature_c: 17.0,
            room_temperature_swing_c: 1.2,
            room_humidity_pct: 45.0,
            room_humidity_swing_pct: 5.0,
            start_temperature_c: 17.5,
            start_humidity_pct: 18.0,
            spool_start_humidity_pct: 30.0,
            desiccant_start_humidity_pct: 3.0,
            sensor_lag_s: 6.0,
            temperature_noise_c: 0.02,
            humidity_noise_pct: 0.06,
        }
    }

    /// Six boxes from small to large, by name: the ones that the safety limits are judged by.
    pub fn six_boxes() -> [(&'static str, Self); 6] {
        use Convection::{Forced, Still};
        [
            ("30 W, 60 l, 8 spools", Self::of(30.0, 60.0, 8, Still)),
            ("50 W, 60 l, 5 spools", Self::of(50.0, 60.0, 5, Still)),
            ("150 W, 10 l, 1 spool", Self::of(150.0, 10.0, 1, Forced)),
            ("15 W, 5 l, 1 spool", Self::of(15.0, 5.0, 1, Still)),
            ("60 W, 25 l, 2 spools", Self::of(60.0, 25.0, 2, Forced)),
            ("200 W, 150 l, 20 spools", Self::of(200.0, 150.0, 20, Forced)),
        ]
    }

    /// The same box with every number within physical limits, and a number that is none replaced by the default box's.
    pub(super) fn within_limits(mut self) -> Self {
        let sane = Self::default();
        macro_rules! limit {
            ($($field:ident: $min:expr, $max:expr;)*) => {$(
                self.$field = if self.$field.is_finite() { self.$field } else { sane.$field }.clamp($min, $max);
            )*};
        }
        limit! {
            volume_l: 0.1, 10_000.0;
            heater_w: 0.0, 5_000.0;
            heater_heat_capacity_j_k: 0.1, 1e6;
            heater_to_air_w_k: self.heater_w / 500.0 + 1e-3, 1e4;
            fittings_heat_capacity_j_k: 1.0, 1e6;
            wall_heat_capacity_j_k: 1.0, 1e8;
            spool_heat_capacity_j_k: 1.0, 1e6;
            air_to_spool_w_k: 0.0, 1e3;
            fan_mixing: 1.0, 20.0;
            spool_water_g: 0.01, 1e4;
            spool_exchange_l_s: 0.0, 100.0;
            surface_water_g: 0.01, 1e4;
            surface_exchange_l_s: 0.0, 1e3;
            desiccant_g: 0.01, 1e6;
            desiccant_still_l_s: 0.0, 1e3;
            fan_flow_l_s: 0.0, 1e3;
            leak_l_h: 0.0, 1e6;
            lid_openings_per_day: 0.0, 96.0;
            room_temperature_c: -10.0, 45.0;
            room_temperature_swing_c: 0.0, 15.0;
            room_humidity_pct: 5.0, 95.0;
            room_humidity_swing_pct: 0.0, 50.0;
            start_temperature_c: -20.0, 80.0;
            start_humidity_pct: 0.0, 100.0;
            spool_start_humidity_pct: 0.0, 100.0;
            desiccant_start_humidity_pct: 0.0, 100.0;
            sensor_lag_s: 0.0, 3_600.0;
            temperature_noise_c: 0.0, 5.0;
            humidity_noise_pct: 0.0, 10.0;
        }
        // Walls that lose too little would let the air pass 200 °C above the room, where this model says nothing: the two
        // conductances in series must carry the heater's power at that difference.
        let least_w_k = self.heater_w / 100.0 + 1e-3;
        limit! {
            air_to_wall_w_k: least_w_k, 1e5;
            wall_to_room_w_k: least_w_k, 1e5;
        }
        self.spools = self.spools.min(1_000);
        self
    }
}

/// 50 W, 60 l, 5 spools of PLA, 1.8 kg of silica gel, in a cool room: within the default bands (20 to 22 °C, 10 to 15 %)
/// heater and fan both switch within minutes.
impl Default for BoxParameters {
    fn default() -> Self {
        Self::of(50.0, 60.0, 5, Convection::Still)
    }
}
