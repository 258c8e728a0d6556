//! The Lambda function `ingest-webhook`.

use lambda_http::{Error, run};
use throughline_platform::{App, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let app = App::from_env(ingest_webhook::NEEDS)?;
    run(ingest_webhook::router(app)).await
}
