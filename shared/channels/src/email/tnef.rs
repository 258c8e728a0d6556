//! `winmail.dat`: Outlook's own envelope for text and files (MS-OXTNEF), unpacked.
//!
//! The public crate for this format stops at the first attribute that is odd or has a wrong checksum, and brings libraries
//! for dates and byte order along. So this reads what mail needs, as far as the bytes go.

use encoding_rs::{Encoding, UTF_16LE, WINDOWS_1252};

/// What every such file begins with.
const SIGNATURE: [u8; 4] = [0x78, 0x9f, 0x3e, 0x22];
/// Most properties read of one object.
const PROPERTIES_MAX: u32 = 10_000;

// Attributes (MS-OXTNEF, section 2.1.3.1), without their types.
const MESSAGE_PROPERTIES: u16 = 0x9003;
const MESSAGE_TEXT: u16 = 0x800c;
const CODE_PAGE: u16 = 0x9007;
const FILE_START: u16 = 0x9002;
const FILE_NAME: u16 = 0x8010;
const FILE_DATA: u16 = 0x800f;
const FILE_PROPERTIES: u16 = 0x9005;

// Properties (MS-OXPROPS).
const BODY: u16 = 0x1000;
const BODY_HTML: u16 = 0x1013;
const ATTACH_DATA: u16 = 0x3701;
const ATTACH_FILENAME: u16 = 0x3704;
const ATTACH_LONG_FILENAME: u16 = 0x3707;
const ATTACH_MIME_TAG: u16 = 0x370e;
const ATTACH_CONTENT_ID: u16 = 0x3712;

/// A file in the envelope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Packed<'a> {
    pub(super) name: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) content_id: Option<String>,
    pub(super) bytes: &'a [u8],
}

/// What the envelope holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Unpacked<'a> {
    pub(super) text: Option<String>,
    pub(super) html: Option<String>,
    pub(super) files: Vec<Packed<'a>>,
    /// Whether it holds more files than were asked for.
    pub(super) has_more: bool,
}

/// Whether the bytes are such an envelope, whatever they are called.
pub(super) fn is_tnef(bytes: &[u8]) -> bool {
    bytes.starts_with(&SIGNATURE)
}

/// Unpacks the envelope as far as it can be read, with at most `files_max` files.
pub(super) fn unpacked(bytes: &[u8], files_max: usize) -> Unpacked<'_> {
    let mut found = Unpacked::default();
    let mut encoding = WINDOWS_1252;
    let mut reader = Reader(bytes);
    // Signature and a key that means nothing to us.
    reader.take(6);
    while let Some((id, data)) = attribute(&mut reader) {
        match id {
            CODE_PAGE => encoding = code_page(data).unwrap_or(encoding),
            MESSAGE_TEXT => found.text = found.text.or_else(|| some_text(&string(data, encoding))),
            MESSAGE_PROPERTIES => {
                for property in Properties::of(data) {
                    match property.id {
                        BODY => found.text = some_text(&property.text(encoding)).or(found.text),
                        BODY_HTML => found.html = some_text(&property.text(encoding)),
                        _ => {}
                    }
                }
            }
            FILE_START => {
                drop_empty(&mut found.files);
                if found.files.len() > files_max {
                    break;
                }
                found.files.push(Packed::default());
            }
            FILE_NAME | FILE_DATA | FILE_PROPERTIES => {
                let Some(file) = found.files.last_mut() else { continue };
                match id {
                    FILE_NAME => file.name = file.name.take().or_else(|| some_text(&string(data, encoding))),
                    FILE_DATA => file.bytes = data,
                    _ => describe(file, data, encoding),
                }
            }
            _ => {}
        }
    }
    drop_empty(&mut found.files);
    found.has_more = found.files.len() > files_max;
    found.files.truncate(files_max);
    found
}

/// Drops the last file if nothing is in it.
fn drop_empty(files: &mut Vec<Packed<'_>>) {
    files.pop_if(|file| file.bytes.is_empty());
}

fn describe<'a>(file: &mut Packed<'a>, data: &'a [u8], encoding: &'static Encoding) {
    let mut long_name = None;
    for property in Properties::of(data) {
        match property.id {
            ATTACH_LONG_FILENAME => long_name = some_text(&property.text(encoding)),
            ATTACH_FILENAME => file.name = file.name.take().or_else(|| some_text(&property.text(encoding))),
            ATTACH_MIME_TAG => file.content_type = some_text(&property.text(encoding)),
            ATTACH_CONTENT_ID => file.content_id = some_text(&property.text(encoding)),
            // An object begins with the id of its interface (16 bytes).
            ATTACH_DATA if file.bytes.is_empty() => file.bytes = property.value.get(16..).unwrap_or_default(),
            _ => {}
        }
    }
    file.name = long_name.or_else(|| file.name.take());
}

/// The next attribute: its number and its data. Checksums are not compared: damaged files are better than none.
fn attribute<'a>(reader: &mut Reader<'a>) -> Option<(u16, &'a [u8])> {
    let _level = reader.take(1)?;
    let id = reader.number()?;
    let length = reader.number()? as usize;
    let data = &reader.0[..length.min(reader.0.len())];
    reader.0 = reader.0.get(length + 2..).unwrap_or_default();
    Some((id as u16, data))
}

fn code_page(data: &[u8]) -> Option<&'static Encoding> {
    let number = Reader(data).number()?;
    let label = match number {
        932 => "shift_jis".to_owned(),
        936 => "gbk".to_owned(),
        949 => "euc-kr".to_owned(),
        950 => "big5".to_owned(),
        65001 => "utf-8".to_owned(),
        other => format!("windows-{other}"),
    };
    Encoding::for_label(label.as_bytes())
}

fn string(bytes: &[u8], encoding: &'static Encoding) -> String {
    let text = encoding.decode_without_bom_handling(bytes).0;
    text.trim_end_matches('\0').to_owned()
}

fn some_text(text: &str) -> Option<String> {
    (!text.trim().is_empty()).then(|| text.to_owned())
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn short(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    /// A value with its length before it, filled up to four bytes.
    fn counted(&mut self) -> Option<&'a [u8]> {
        let length = self.number()? as usize;
        let value = self.take(length)?;
        self.take((4 - length % 4) % 4).or(Some(&[]))?;
        Some(value)
    }
}

struct Property<'a> {
    id: u16,
    kind: u16,
    value: &'a [u8],
}

impl Property<'_> {
    fn text(&self, encoding: &'static Encoding) -> String {
        const UNICODE: u16 = 0x001f;
        string(self.value, if self.kind == UNICODE { UTF_16LE } else { encoding })
    }
}

/// The properties of an object (MS-OXTNEF, section 2.1.3.4).
struct Properties<'a> {
    reader: Reader<'a>,
    left: u32,
}

impl<'a> Properties<'a> {
    fn of(data: &'a [u8]) -> Self {
        let mut reader = Reader(data);
        let left = reader.number().unwrap_or_default().min(PROPERTIES_MAX);
        Self { reader, left }
    }

    fn property(&mut self) -> Option<Property<'a>> {
        const SEVERAL: u16 = 0x1000;
        const NAMED: u16 = 0x8000;
        let reader = &mut self.reader;
        let (kind, id) = (reader.short()?, reader.short()?);
        if id >= NAMED {
            reader.take(16)?;
            if reader.number()? == 0 {
                reader.take(4)?;
            } else {
                reader.counted()?;
            }
        }
        let is_counted = matches!(kind & !SEVERAL, 0x000d | 0x001e | 0x001f | 0x0102);
        let count = if is_counted || kind & SEVERAL != 0 { reader.number()? } else { 1 };
        let mut value: &[u8] = &[];
        for at in 0..count.min(PROPERTIES_MAX) {
            let one = match kind & !SEVERAL {
                _ if is_counted => reader.counted()?,
                0x0002 | 0x0003 | 0x0004 | 0x000a | 0x000b => reader.take(4)?,
                0x0005 | 0x0006 | 0x0007 | 0x0014 | 0x0040 => reader.take(8)?,
                0x0048 => reader.take(16)?,
                _ => return None,
            };
            if at == 0 {
                value = one;
            }
        }
        Some(Property { id, kind, value })
    }
}

impl<'a> Iterator for Properties<'a> {
    type Item = Property<'a>;

    fn next(&mut self) -> Option<Property<'a>> {
        self.left = self.left.checked_sub(1)?;
        self.property()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn attribute(level: u8, id: u32, data: &[u8]) -> Vec<u8> {
        let sum = data.iter().fold(0_u16, |sum, byte| sum.wrapping_add(u16::from(*byte)));
        let length = u32::try_from(data.len()).unwrap().to_le_bytes();
        [&[level][..], &id.to_le_bytes(), &length, data, &sum.to_le_bytes()].concat()
    }

    fn envelope() -> Vec<u8> {
        let name: Vec<u8> = "grün.pdf\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let padding = vec![0; (4 - name.len() % 4) % 4];
        let length = u32::try_from(name.len()).unwrap().to_le_bytes();
        let fixed = [&0x0003_u16.to_le_bytes()[..], &0x0e21_u16.to_le_bytes(), &7_u32.to_le_bytes()].concat();
        let long =
            [&0x001f_u16.to_le_bytes()[..], &0x3707_u16.to_le_bytes(), &1_u32.to_le_bytes(), &length, &name, &padding];
        let properties = [&2_u32.to_le_bytes()[..], &fixed, &long.concat()].concat();
        [
            SIGNATURE.to_vec(),
            vec![1, 0],
            self::attribute(1, 0x0006_9007, &[0xe4, 4, 0, 0, 0, 0, 0, 0]),
            self::attribute(1, 0x0002_800c, b"Hello\0"),
            self::attribute(2, 0x0006_9002, &[0; 14]),
            self::attribute(2, 0x0001_8010, b"GRN~1.PDF\0"),
            self::attribute(2, 0x0006_800f, b"%PDF-1.4"),
            self::attribute(2, 0x0006_9005, &properties),
        ]
        .concat()
    }

    #[test]
    fn files_and_text_are_unpacked() {
        let envelope = envelope();
        let found = unpacked(&envelope, 10);
        assert!(is_tnef(&envelope));
        assert_eq!(found.text.as_deref(), Some("Hello"));
        assert_eq!(found.files.len(), 1);
        assert_eq!((found.files[0].name.as_deref(), found.files[0].bytes), (Some("grün.pdf"), &b"%PDF-1.4"[..]));
        let none = unpacked(&envelope, 0);
        assert_eq!((none.files.len(), none.has_more, found.has_more), (0, true, false));
    }

    proptest! {
        #[test]
        fn any_bytes_are_unpacked_as_far_as_they_go(
            cut in 0_usize..400, at in 0_usize..400, byte: u8, noise in prop::collection::vec(any::<u8>(), 0..80)
        ) {
            let mut bytes = envelope();
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            bytes.truncate(cut);
            bytes.extend(noise);
            let found = unpacked(&bytes, 10);
            prop_assert!(found.files.iter().map(|file| file.bytes.len()).sum::<usize>() <= bytes.len());
        }
    }
}
