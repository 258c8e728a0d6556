//! The Lambda function `relay-events`.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use throughline_platform::{App, batch, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let app = &App::from_env(relay_events::NEEDS)?;
    run(service_fn(move |event: LambdaEvent<_>| async move {
        let deadline = batch::deadline(app, event.context.deadline);
        Ok::<_, Error>(relay_events::handle(app, event.payload, deadline).await)
    }))
    .await
}
