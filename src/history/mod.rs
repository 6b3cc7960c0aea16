//! Histories: the hits of each window, kept for weeks.
