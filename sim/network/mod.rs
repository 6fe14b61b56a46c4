//! Services, endpoints and requests.
