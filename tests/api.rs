//! The whole product over native SQLite: the main job, the rules of orders, bad input, failures.

mod support;

mod api {
    mod bad_input;
    mod failures;
    mod main_job;
    mod orders;
}
