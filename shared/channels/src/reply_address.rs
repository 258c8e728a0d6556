//! reply_address
