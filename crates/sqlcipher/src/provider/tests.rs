//! Known answers, asked through the function pointers as SQLCipher asks: NIST SP 800-38A, RFC 2202, RFC 4231, RFC 6070, RFC 7914. No
//! RFC has answers for PBKDF2 with SHA-512: those are OpenSSL's (Python's hashlib).

use super::*;

fn provider() -> Provider {
    let mut provider = std::mem::MaybeUninit::<Provider>::uninit();
    // SAFETY: a place for the structure.
    assert_eq!(unsafe { filamentbox_sqlcipher_provider(provider.as_mut_ptr()) }, SQLITE_OK);
    // SAFETY: filled, as the answer said.
    unsafe { provider.assume_init() }
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

fn length(bytes: &[u8]) -> c_int {
    c_int::try_from(bytes.len()).unwrap()
}

const NIST_KEY: &str = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";
const NIST_IV: &str = "000102030405060708090a0b0c0d0e0f";
const NIST_PLAIN: &str = "6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51
                          30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710";
const NIST_SECRET: &str = "f58c4c04d6e5f1ba779eabfb5f7bfbd6 9cfc4e967edb808d679f777bc6702c7d
                           39f23369a9d9bacfa530e26304231461 b2eb05e2c39be9fcda6c19078c6a9d1b";

fn cipher_as_c(mode: c_int, key: &[u8], iv: &[u8], from: &[u8]) -> Option<Vec<u8>> {
    let mut to = vec![0xee; from.len()];
    let (key_length, length) = (length(key), length(from));
    let cipher = provider().cipher;
    // SAFETY: buffers of the lengths given; the vector has 16 bytes.
    let code = unsafe {
        cipher(ptr::null_mut(), mode, key.as_ptr(), key_length, iv.as_ptr(), from.as_ptr(), length, to.as_mut_ptr())
    };
    (code == SQLITE_OK).then_some(to)
}

#[test]
fn aes_256_cbc_gives_the_answers_of_nist() {
    let (key, iv) = (bytes_of(NIST_KEY), bytes_of(NIST_IV));
    let (plain, secret) = (bytes_of(NIST_PLAIN), bytes_of(NIST_SECRET));
    assert_eq!(cipher_as_c(ENCRYPT, &key, &iv, &plain), Some(secret.clone()));
    assert_eq!(cipher_as_c(DECRYPT, &key, &iv, &secret), Some(plain));
}

#[test]
fn a_page_may_be_ciphered_where_it_lies() {
    let (key, iv, mut text) = (bytes_of(NIST_KEY), bytes_of(NIST_IV), bytes_of(NIST_PLAIN));
    let (cipher, all, place) = (provider().cipher, length(&text), text.as_mut_ptr());
    // SAFETY: one buffer for both, as the interface allows.
    let code = unsafe { cipher(ptr::null_mut(), ENCRYPT, key.as_ptr(), 32, iv.as_ptr(), place, all, place) };
    assert_eq!((code, text), (SQLITE_OK, bytes_of(NIST_SECRET)));
}

#[test]
fn a_cipher_refuses_other_modes_and_lengths() {
    let (key, iv, plain) = (bytes_of(NIST_KEY), bytes_of(NIST_IV), bytes_of(NIST_PLAIN));
    assert_eq!(cipher_as_c(2, &key, &iv, &plain), None, "a mode");
    assert_eq!(cipher_as_c(ENCRYPT, &key[..16], &iv, &plain), None, "a key of AES-128");
    assert_eq!(cipher_as_c(ENCRYPT, &key, &iv, &plain[..17]), None, "half a block");
    let cipher = provider().cipher;
    let mut to = [0; 16];
    // SAFETY: a negative length and null pointers are never followed.
    let code = unsafe {
        cipher(ptr::null_mut(), ENCRYPT, key.as_ptr(), 32, iv.as_ptr(), plain.as_ptr(), -16, to.as_mut_ptr())
    };
    assert_eq!(code, SQLITE_ERROR, "a negative length");
    // SAFETY: the same.
    let code =
        unsafe { cipher(ptr::null_mut(), ENCRYPT, ptr::null(), 32, iv.as_ptr(), plain.as_ptr(), 16, to.as_mut_ptr()) };
    assert_eq!(code, SQLITE_ERROR, "no key");
    // SAFETY: the same.
    let code =
        unsafe { cipher(ptr::null_mut(), ENCRYPT, key.as_ptr(), 32, ptr::null(), plain.as_ptr(), 16, to.as_mut_ptr()) };
    assert_eq!(code, SQLITE_ERROR, "no vector");
}

fn hmac_as_c(algorithm: c_int, key: &[u8], first: &[u8], second: Option<&[u8]>) -> Option<Vec<u8>> {
    let provider = provider();
    let mut out = [0xee; 80];
    let (second, second_length) = second.map_or((ptr::null(), 0), |second| (second.as_ptr(), length(second)));
    let (key_length, first_length) = (length(key), length(first));
    let (key, first, to) = (key.as_ptr(), first.as_ptr(), out.as_mut_ptr());
    // SAFETY: buffers of the lengths given, and one that is longer than any code.
    let code = unsafe {
        (provider.hmac)(ptr::null_mut(), algorithm, key, key_length, first, first_length, second, second_length, to)
    };
    // SAFETY: looks at no pointer.
    let bytes = unsafe { (provider.get_hmac_sz)(ptr::null_mut(), algorithm) };
    let (code_bytes, rest) = out.split_at(usize::try_from(bytes).unwrap());
    assert!(rest.iter().all(|byte| *byte == 0xee), "not a byte more than {bytes}");
    (code == SQLITE_OK).then(|| code_bytes.to_vec())
}

#[test]
fn hmac_gives_the_answers_of_rfc_2202_and_4231() {
    fn check(key: &[u8], text: &[u8], answers: [&str; 3]) {
        for (algorithm, answer) in (0..).zip(answers) {
            let answer = Some(bytes_of(answer));
            assert_eq!(hmac_as_c(algorithm, key, text, None), answer, "{algorithm}");
            let (first, second) = text.split_at(text.len() / 3);
            assert_eq!(hmac_as_c(algorithm, key, first, Some(second)), answer, "{algorithm}, in two parts");
        }
    }
    check(
        &[0x0b; 20],
        b"Hi There",
        [
            "b617318655057264e28bc0b6fb378c8ef146be00",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde
             daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
        ],
    );
    check(
        b"Jefe",
        b"what do ya want for nothing?",
        [
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554
             9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ],
    );
    // A key longer than a block of each hash. RFC 2202 has only 80 bytes for SHA-1: this answer is OpenSSL's.
    check(
        &[0xaa; 131],
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        [
            "90d0dace1c1bdc957339307803160335bde6df2b",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352
             6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
        ],
    );
    assert_eq!(hmac_as_c(3, b"key", b"text", None), None, "no such hash");
}

fn kdf_as_c(algorithm: c_int, passphrase: &[u8], salt: &[u8], rounds: c_int, bytes: usize) -> Option<Vec<u8>> {
    let (kdf, mut key) = (provider().kdf, vec![0; bytes]);
    let (passphrase_bytes, salt_bytes, key_bytes) = (length(passphrase), length(salt), length(&key));
    let (passphrase, salt, to) = (passphrase.as_ptr(), salt.as_ptr(), key.as_mut_ptr());
    // SAFETY: buffers of the lengths given.
    let code = unsafe {
        kdf(ptr::null_mut(), algorithm, passphrase, passphrase_bytes, salt, salt_bytes, rounds, key_bytes, to)
    };
    (code == SQLITE_OK).then_some(key)
}

#[test]
fn pbkdf2_gives_the_answers_of_rfc_6070_and_7914_and_openssl() {
    fn check(algorithm: c_int, passphrase: &[u8], salt: &[u8], rounds: c_int, answer: &str) {
        let answer = bytes_of(answer);
        let key = kdf_as_c(algorithm, passphrase, salt, rounds, answer.len());
        assert_eq!(key, Some(answer), "{algorithm}, {rounds} rounds");
    }
    check(0, b"password", b"salt", 1, "0c60c80f961f0e71f3a9b524af6012062fe037a6");
    check(0, b"password", b"salt", 2, "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957");
    check(0, b"password", b"salt", 4096, "4b007901b765489abead49d926f721d065a429c1");
    let (passphrase, salt) = (b"passwordPASSWORDpassword", b"saltSALTsaltSALTsaltSALTsaltSALTsalt");
    check(0, passphrase, salt, 4096, "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038");
    check(0, b"pass\0word", b"sa\0lt", 4096, "56fa6aa75548099dcc37d7f03425e0c3");
    check(
        1,
        b"passwd",
        b"salt",
        1,
        "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc
         49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
    );
    check(
        2,
        b"password",
        b"salt",
        1,
        "867f70cf1ade02cff3752599a3a53dc4af34c7a669815ae5d513554e1c8cf252
         c02d470a285a0501bad999bfe943c08f050235d7d68b1da55e63f73b60a57fce",
    );
    check(
        2,
        b"password",
        b"salt",
        4096,
        "d197b1b33db0143e018b12f3d1d1479e6cdebdcc97c5c0f87f6902e072f457b5
         143f30602641b3d55cd335988cb36b84376060ecd532e039b742a239434af2d5",
    );
    for (algorithm, rounds) in [(3, 1), (2, 0), (2, -1)] {
        assert_eq!(kdf_as_c(algorithm, b"password", b"salt", rounds, 32), None, "{algorithm}, {rounds} rounds");
    }
}

#[test]
fn random_bytes_fill_the_buffer_and_differ() {
    let random = provider().random;
    let draw = |bytes: c_int| {
        let mut buffer = [0_u8; 80];
        // SAFETY: the buffer is longer than any `bytes` asked for here.
        let code = unsafe { random(ptr::null_mut(), buffer.as_mut_ptr().cast(), bytes) };
        (code, buffer)
    };
    let ((code, one), (_, other)) = (draw(64), draw(64));
    assert_eq!((code, &one[64..]), (SQLITE_OK, &[0; 16][..]), "not a byte more");
    assert_ne!(one[..32], other[..32]);
    assert_ne!(one[32..64], other[32..64], "to the end");
    assert_eq!(draw(-1).0, SQLITE_ERROR);
    // SAFETY: a null pointer is refused.
    assert_eq!(unsafe { random(ptr::null_mut(), ptr::null_mut(), 16) }, SQLITE_ERROR);
}

#[test]
fn a_panic_becomes_an_error() {
    assert_eq!(answer(|| panic!("the output of this panic is part of the test")), SQLITE_ERROR);
}
