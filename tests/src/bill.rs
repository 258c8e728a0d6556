//! What something costs: counted, never timed.

use throughline_aws::Counts;

use crate::World;

/// What is counted while something happens, to its end.
pub async fn counted(world: &World, action: impl Future<Output = ()>) -> Counts {
    let aws = &world.system().aws;
    world.settled().await;
    aws.reset_counts();
    aws.count(true);
    action.await;
    world.settled().await;
    aws.count(false);
    aws.reset_counts()
}
