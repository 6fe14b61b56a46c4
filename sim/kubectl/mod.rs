//! What kubectl prints, from objects as the API shows them.
