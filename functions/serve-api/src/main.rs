//! The Lambda function `serve-api`.

use lambda_http::{Error, run};
use throughline_platform::{App, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let app = App::from_env(serve_api::NEEDS)?;
    run(serve_api::router(app)).await
}
