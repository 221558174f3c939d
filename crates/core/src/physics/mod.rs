//! A filament box as a model: heater, air, walls and spools that hold heat; air, surfaces, spools and desiccant that hold
//! water; a room with weather, and a lid that somebody opens. Behind the simulated sensor and the simulated world of the tests.
//!
//! Both the heat and the water form a star with the air at its centre, so a step of backward Euler is solved exactly by hand:
//! stable for every step length, no temperature overshoots its neighbours, and water is conserved.
//!
//! Deliberately not here: heat of evaporation, layers of air, diffusion within a spool, ageing of the desiccant, the
//! regeneration of the desiccant. The desiccant of the default box takes up between one and two grams a day and is spent after
//! about two months, as in life: from then on the fan runs all the time and no longer reaches the lower end of its band.

mod parameters;
mod random;
mod room;

use std::time::Duration;

pub use parameters::{BoxParameters, Convection};
pub use random::SplitMix64;
pub use room::Room;

use crate::sample::Measurement;
use crate::units::{Celsius, Hectopascal, RelativeHumidity, absolute_humidity_g_m3};

/// What the outputs do.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Drive {
    /// The heater has power.
    pub heater_on: bool,
    /// The fan has power.
    pub fan_on: bool,
}

/// What happens to a box beside what its parameters and its seed say; for tests and for demonstrations.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct Disturbance {
    /// Somebody has left the lid open.
    pub lid_held_open: bool,
    /// The room is so much warmer than its weather, in °C (a heat wave, or an open window); kept within -40 to 40.
    pub room_warmer_c: f64,
}

/// Longest step while a call is short enough for it. Small against the slowest thing a person watches, about the time
/// constant of the quickest (the heating element).
const STEP_S: f64 = 5.0;
/// Most steps in one call: longer gaps take longer steps (a year: 4.4 h).
const STEPS_MAX: f64 = 2_000.0;
/// One call passes at most a century.
const ELAPSED_MAX_S: f64 = 3.2e9;
/// Volumetric heat capacity of air in J/(K m³), about 20 °C.
const AIR_J_K_M3: f64 = 1_206.0;
/// An open lid exchanges the whole volume in so many seconds.
const LID_EXCHANGE_S: f64 = 20.0;
/// Silica gel's water at 100 %, in g/g.
const DESICCANT_G_G: f64 = 0.54;
/// Warm desiccant and warm filament hold less at the same relative humidity: so much of the humidity over them per °C above
/// 20 °C (heat of sorption about 0.3 kJ/g above that of condensation, over R T²).
const SORPTION_PER_C: f64 = 0.008;
/// Condensed water evaporates with this time constant, in s.
const EVAPORATION_S: f64 = 600.0;
/// The simulated sensor's range in °C; beyond it shows the end of the range, as chips do.
const SENSOR_MIN_C: f64 = -40.0;
const SENSOR_MAX_C: f64 = 125.0;

/// How something with a temperature is connected during a step.
struct HeatLink {
    heat_capacity_j_k: f64,
    to_air_w_k: f64,
    to_room_w_k: f64,
    power_w: f64,
}

impl HeatLink {
    /// Its temperature after a step from `before_c`, as `constant + slope * air`.
    fn after(&self, before_c: f64, room_c: f64, step_s: f64) -> (f64, f64) {
        let inertia = self.heat_capacity_j_k / step_s;
        let sum = inertia + self.to_air_w_k + self.to_room_w_k;
        let constant = (inertia * before_c + self.to_room_w_k * room_c + self.power_w) / sum;
        (constant, self.to_air_w_k / sum)
    }
}

/// Something that holds water beside the air.
#[derive(Clone, Copy, Debug)]
struct WaterNode {
    water_g: f64,
    capacity_g: f64,
}

impl WaterNode {
    fn new(capacity_g: f64, humidity_pct: f64) -> Self {
        Self { water_g: capacity_g * humidity_pct / 100.0, capacity_g }
    }

    /// Vapour over this node in g/m³ for each gram of water in it.
    fn vapour_per_gram(&self, temperature_c: f64, saturated_g_m3: f64) -> f64 {
        let sorption = (1.0 + SORPTION_PER_C * (temperature_c - 20.0)).clamp(0.3, 3.0);
        saturated_g_m3 * sorption / self.capacity_g
    }
}

/// The simulated box in its room.
#[derive(Clone, Debug)]
pub struct BoxWorld {
    parameters: BoxParameters,
    seed: u64,
    noise: SplitMix64,
    time_s: f64,
    air_c: f64,
    heater_c: f64,
    wall_c: f64,
    spool_c: f64,
    vapour_g_m3: f64,
    surfaces: WaterNode,
    spools: WaterNode,
    desiccant: WaterNode,
    condensed_g: f64,
    sensed_c: f64,
    sensed_pct: f64,
    disturbance: Disturbance,
}

impl BoxWorld {
    /// A box as `parameters` say, each kept within physical limits, at the start of its life. `seed` decides weather, lid
    /// and noise.
    pub fn new(parameters: BoxParameters, seed: u64) -> Self {
        let parameters = parameters.within_limits();
        let start_c = parameters.start_temperature_c;
        let water = |capacity_g, humidity_pct| WaterNode::new(capacity_g, humidity_pct);
        Self {
            seed,
            noise: SplitMix64::new(seed),
            time_s: 0.0,
            air_c: start_c,
            heater_c: start_c,
            wall_c: start_c,
            spool_c: start_c,
            vapour_g_m3: absolute_humidity_g_m3(start_c, parameters.start_humidity_pct),
            surfaces: water(parameters.surface_water_g, parameters.start_humidity_pct),
            spools: water(
                (f64::from(parameters.spools) * parameters.spool_water_g).max(0.01),
                parameters.spool_start_humidity_pct,
            ),
            desiccant: water(parameters.desiccant_g * DESICCANT_G_G, parameters.desiccant_start_humidity_pct),
            condensed_g: 0.0,
            sensed_c: start_c,
            sensed_pct: parameters.start_humidity_pct,
            disturbance: Disturbance::default(),
            parameters,
        }
    }

    /// From now on the box is disturbed so, until told otherwise.
    pub fn disturb(&mut self, disturbance: Disturbance) {
        let room_warmer_c = disturbance.room_warmer_c;
        let room_warmer_c = if room_warmer_c.is_finite() { room_warmer_c.clamp(-40.0, 40.0) } else { 0.0 };
        self.disturbance = Disturbance { room_warmer_c, ..disturbance };
    }

    /// Lets `elapsed` pass with the outputs as `drive` says. The work is bounded however long `elapsed` is, up to a century a
    /// call; gaps of more than three hours are simulated in coarser steps.
    pub fn advance(&mut self, elapsed: Duration, drive: Drive) {
        let elapsed_s = elapsed.as_secs_f64().min(ELAPSED_MAX_S);
        if elapsed_s <= 0.0 {
            return;
        }
        let steps = (elapsed_s / STEP_S).ceil().clamp(1.0, STEPS_MAX);
        for _ in 0..steps as u32 {
            self.step(elapsed_s / steps, drive);
        }
    }

    fn step(&mut self, step_s: f64, drive: Drive) {
        let room = self.room_at(self.time_s + step_s / 2.0);
        let lid = if self.disturbance.lid_held_open {
            1.0
        } else {
            room::lid_open_fraction(&self.parameters, self.seed, self.time_s, step_s)
        };
        let volume_m3 = self.parameters.volume_l / 1000.0;
        let exchange_m3_s = self.parameters.leak_l_h / 3.6e6 + lid * volume_m3 / LID_EXCHANGE_S;
        self.step_heat(step_s, drive, room.temperature_c, exchange_m3_s);
        self.step_water(step_s, drive, room, exchange_m3_s);
        // The sensor follows the air with its lag, by the same backward Euler.
        let follows = step_s / (step_s + self.parameters.sensor_lag_s);
        self.sensed_c += follows * (self.air_c - self.sensed_c);
        self.sensed_pct += follows * (self.relative_humidity_pct() - self.sensed_pct);
        self.time_s += step_s;
    }

    fn step_heat(&mut self, step_s: f64, drive: Drive, room_c: f64, exchange_m3_s: f64) {
        let p = &self.parameters;
        let mixing = if drive.fan_on { p.fan_mixing } else { 1.0 };
        let spools = f64::from(p.spools);
        let links = [
            HeatLink {
                heat_capacity_j_k: p.heater_heat_capacity_j_k,
                to_air_w_k: p.heater_to_air_w_k,
                to_room_w_k: 0.0,
                power_w: if drive.heater_on { p.heater_w } else { 0.0 },
            },
            HeatLink {
                heat_capacity_j_k: p.wall_heat_capacity_j_k,
                to_air_w_k: mixing * p.air_to_wall_w_k,
                to_room_w_k: p.wall_to_room_w_k,
                power_w: 0.0,
            },
            HeatLink {
                heat_capacity_j_k: p.spool_heat_capacity_j_k * spools.max(0.01),
                to_air_w_k: mixing * p.air_to_spool_w_k * spools,
                to_room_w_k: 0.0,
                power_w: 0.0,
            },
        ];
        let nodes = [self.heater_c, self.wall_c, self.spool_c];
        let after: [(f64, f64); 3] = std::array::from_fn(|i| links[i].after(nodes[i], room_c, step_s));
        let inertia = (AIR_J_K_M3 * p.volume_l / 1000.0 + p.fittings_heat_capacity_j_k) / step_s;
        let exchange_w_k = AIR_J_K_M3 * exchange_m3_s;
        let mut source = inertia * self.air_c + exchange_w_k * room_c;
        let mut sink = inertia + exchange_w_k;
        for (link, (constant, slope)) in links.iter().zip(after) {
            source += link.to_air_w_k * constant;
            sink += link.to_air_w_k * (1.0 - slope);
        }
        self.air_c = source / sink;
        [self.heater_c, self.wall_c, self.spool_c] = after.map(|(constant, slope)| constant + slope * self.air_c);
    }

    fn step_water(&mut self, step_s: f64, drive: Drive, room: Room, exchange_m3_s: f64) {
        let p = &self.parameters;
        let volume_m3 = p.volume_l / 1000.0;
        let (mixing, blown_l_s) = if drive.fan_on { (p.fan_mixing, p.fan_flow_l_s) } else { (1.0, 0.0) };
        let saturated = |temperature_c: f64| absolute_humidity_g_m3(temperature_c, 100.0);
        let (at_wall, at_spool, at_air) = (saturated(self.wall_c), saturated(self.spool_c), saturated(self.air_c));
        // (conductance in m³/s, vapour in g/m³ per gram); the desiccant lies on the floor and has the wall's temperature.
        let links = [
            (mixing * p.surface_exchange_l_s / 1000.0, self.surfaces.vapour_per_gram(self.wall_c, at_wall)),
            (
                mixing * f64::from(p.spools) * p.spool_exchange_l_s / 1000.0,
                self.spools.vapour_per_gram(self.spool_c, at_spool),
            ),
            ((p.desiccant_still_l_s + blown_l_s) / 1000.0, self.desiccant.vapour_per_gram(self.wall_c, at_wall)),
        ];
        let nodes = [&mut self.surfaces, &mut self.spools, &mut self.desiccant];
        let vapour_in_room = absolute_humidity_g_m3(room.temperature_c, room.relative_humidity_pct);
        let mut source = volume_m3 / step_s * self.vapour_g_m3 + exchange_m3_s * vapour_in_room;
        let mut sink = volume_m3 / step_s + exchange_m3_s;
        for ((flow, per_gram), node) in links.iter().zip(&nodes) {
            let conductance = flow / (1.0 + step_s * flow * per_gram);
            source += conductance * per_gram * node.water_g;
            sink += conductance;
        }
        self.vapour_g_m3 = source / sink;
        for ((flow, per_gram), node) in links.iter().zip(nodes) {
            node.water_g = (node.water_g + step_s * flow * self.vapour_g_m3) / (1.0 + step_s * flow * per_gram);
        }
        self.condense_or_evaporate(step_s, at_air, volume_m3);
    }

    fn condense_or_evaporate(&mut self, step_s: f64, saturated_g_m3: f64, volume_m3: f64) {
        let room_for_g = (saturated_g_m3 - self.vapour_g_m3) * volume_m3;
        let evaporated_g = if room_for_g < 0.0 {
            room_for_g
        } else {
            (room_for_g * step_s / (step_s + EVAPORATION_S)).min(self.condensed_g)
        };
        self.condensed_g -= evaporated_g;
        self.vapour_g_m3 += evaporated_g / volume_m3;
    }

    /// The air in the box, in °C, without the sensor's lag and noise.
    pub fn air_temperature_c(&self) -> f64 {
        self.air_c
    }

    /// Relative humidity of the air in the box, in %, from 0 to 100, without the sensor's lag and noise.
    pub fn relative_humidity_pct(&self) -> f64 {
        (100.0 * self.vapour_g_m3 / absolute_humidity_g_m3(self.air_c, 100.0)).clamp(0.0, 100.0)
    }

    /// The heating element, in °C.
    pub fn heater_temperature_c(&self) -> f64 {
        self.heater_c
    }

    /// The walls, in °C.
    pub fn wall_temperature_c(&self) -> f64 {
        self.wall_c
    }

    /// The spools, in °C.
    pub fn spool_temperature_c(&self) -> f64 {
        self.spool_c
    }

    /// Water in the desiccant in g per g of silica gel: below 0.02 freshly dried, about 0.07 when it no longer reaches 10 %.
    pub fn desiccant_water_g_g(&self) -> f64 {
        DESICCANT_G_G * self.desiccant.water_g / self.desiccant.capacity_g
    }

    /// All water in the box, in g.
    pub fn total_water_g(&self) -> f64 {
        self.vapour_g_m3 * self.parameters.volume_l / 1000.0
            + self.surfaces.water_g
            + self.spools.water_g
            + self.desiccant.water_g
            + self.condensed_g
    }

    /// The room now.
    pub fn room(&self) -> Room {
        self.room_at(self.time_s)
    }

    fn room_at(&self, time_s: f64) -> Room {
        let room = room::room_at(&self.parameters, self.seed, time_s);
        Room { temperature_c: room.temperature_c + self.disturbance.room_warmer_c, ..room }
    }

    /// Whether the lid is open now.
    pub fn lid_is_open(&self) -> bool {
        self.disturbance.lid_held_open || room::lid_open_fraction(&self.parameters, self.seed, self.time_s, 1.0) > 0.5
    }

    /// How long the box has lived, in s.
    pub fn time_s(&self) -> f64 {
        self.time_s
    }

    /// What the box is made of.
    pub fn parameters(&self) -> &BoxParameters {
        &self.parameters
    }

    /// What the box's sensor says now: late, noisy, to 0.01 °C and 0.01 %, at the ends of its range where the air is beyond.
    /// Every call draws from the noise.
    pub fn measure(&mut self) -> Measurement {
        let temperature_c = self.sensed_c + self.parameters.temperature_noise_c * self.noise.next_bell();
        let humidity_pct = self.sensed_pct + self.parameters.humidity_noise_pct * self.noise.next_bell();
        let temperature = Celsius::new(temperature_c.clamp(SENSOR_MIN_C, SENSOR_MAX_C));
        let humidity = RelativeHumidity::new(humidity_pct.clamp(0.0, 100.0));
        Measurement {
            temperature: temperature.expect("the sensor's range lies within that of the quantity"),
            humidity: humidity.expect("the sensor's range is that of the quantity"),
            pressure: Hectopascal::new(room::pressure_hpa(self.seed, self.time_s)),
        }
    }
}

#[cfg(test)]
mod tests;
