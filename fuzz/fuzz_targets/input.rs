//! How an input is read: a byte of flags, the pieces, and the response.

/// Bytes of a response, where its pieces end, and whether the request was HEAD.
pub struct Input<'a> {
    pub bytes: &'a [u8],
    pub cuts: Vec<usize>,
    pub head_only: bool,
}

impl<'a> Input<'a> {
    /// The first byte: its lowest bit is HEAD, the next four are the number of cuts. Then one byte for each cut: how
    /// long the piece is that ends there (255: 64 KiB). Then the response.
    pub fn new(data: &'a [u8]) -> Option<Self> {
        let (flags, rest) = data.split_first()?;
        let (lengths, bytes) = rest.split_at_checked(usize::from(flags >> 1 & 15))?;
        let mut at = 0;
        let cuts = lengths.iter().map(|length| {
            at += if *length == 255 {
                1 << 16
            } else {
                usize::from(*length)
            };
            at
        });
        let cuts = cuts.collect();
        Some(Self {
            bytes,
            cuts,
            head_only: flags & 1 == 1,
        })
    }
}
