//! The checksum of Sensirion's and Aosong's I2C chips: CRC-8 with polynomial x^8 + x^5 + x^4 + 1, start value 0xFF, not reflected
//! (Sensirion SHT3x-DIS, version 5, 4.12).

const POLYNOMIAL: u8 = 0x31;

/// The checksum of `bytes`.
pub fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0xff, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc, _| if crc & 0x80 == 0 { crc << 1 } else { crc << 1 ^ POLYNOMIAL })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values() {
        // The data sheet's example, and two answers of AHT20 chips published by the drivers elixir-sensors/aht20 and
        // peff74/ESP_AHT20_BMP280.
        assert_eq!(crc8(&[0xbe, 0xef]), 0x92);
        assert_eq!(crc8(&[28, 38, 154, 118, 66, 231]), 118);
        assert_eq!(crc8(&[0x18, 0x93, 0xac, 0x95, 0x2a, 0xc5]), 0xb3);
    }
}
