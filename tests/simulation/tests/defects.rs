//! The simulation sees: each deliberate defect breaks an invariant within 300 seeds.

use throughline_simulation::{Defect, Invariant, run};

/// Seeds that may pass before a defect is found.
const SEEDS_MAX: u64 = 300;

/// A defect has to be found, by this invariant among others. `seed` is the first that finds it now; if it does not any
/// more, for the simulation has changed, all are tried.
fn found(defect: Defect, invariant: Invariant, seed: u64) {
    let tried = std::iter::once(seed).chain((0..SEEDS_MAX).filter(|other| *other != seed));
    for (number, seed) in tried.enumerate() {
        let outcome = run(seed, Some(defect)).expect("the simulation runs");
        if outcome.violations.iter().any(|violation| violation.invariant == invariant) {
            println!("{} is found by {invariant:?} in seed {seed}, the {}. that was tried", defect.name(), number + 1);
            return;
        }
    }
    panic!("{} is not found by {invariant:?} in {SEEDS_MAX} seeds", defect.name());
}

macro_rules! defects {
    ($($name:ident: $defect:ident by $invariant:ident in $seed:literal,)+) => {
        $(
            #[test]
            fn $name() {
                found(Defect::$defect, Invariant::$invariant, $seed);
            }
        )+

        #[test]
        fn every_defect_is_tried() {
            let tried = [$(Defect::$defect),+];
            assert_eq!(tried.len(), Defect::ALL.len());
            assert!(Defect::ALL.iter().all(|defect| tried.contains(defect)));
        }
    };
}

defects! {
    a_ledger_item_outside_of_the_transaction: LedgerOutsideTransaction by Ledger in 0,
    an_answer_before_the_message_is_stored: AcknowledgeBeforeStore by Ledger in 2,
    work_after_a_failed_record_of_the_group: NoGroupSkip by Order in 18,
    a_ticket_written_whatever_its_version: VersionUnchecked by Ledger in 0,
    a_mention_that_counts_as_the_message: MentionCounts by Ledger in 1,
    open_tickets_read_through_an_index: OpenTicketsFromIndex by Places in 0,
    a_typed_address_that_joins_a_customer: TypedAddressJoins by Strangers in 1,
    load_that_is_not_released: LoadNotReleased by Load in 2,
    a_sweep_without_condition: SweepUnconditional by Load in 47,
    mail_without_a_send_ledger: SendWithoutLedger by Sends in 46,
    an_identifier_taken_from_its_owner: ClaimUnconditional by OneOwner in 1,
    an_agent_without_room: CapacityUnchecked by Load in 1,
    mail_sent_again_after_a_lost_answer: MailRetried by Sends in 7,
    a_command_whose_key_is_forgotten: CommandForgotten by Commands in 7,
    a_sweep_that_drives_nothing: SweepDrivesNothing by Rest in 3,
    a_change_that_is_not_parked: ChangeNotParked by Ledger in 1,
    a_message_recorded_without_what_waits: ParkedForgotten by Ledger in 1,
    a_merged_ticket_that_stays_in_line: MergedStaysInLine by Lists in 48,
    a_merge_on_one_side: MergeOnOneSide by Merges in 6,
    unlinking_that_leaves_the_root: UnlinkLeavesRoot by Links in 4,
    a_breach_stamped_when_it_was_found: BreachStampedLate by Verdicts in 0,
    a_mail_to_the_recipients_before: RecipientsKept by Privacy in 7,
    a_head_without_its_commit: HeadWithoutCommit by Fold in 0,
    a_reference_that_is_not_written: ReferenceForgotten by Replay in 0,
    entries_that_the_bus_did_not_take: BusAnswerUnread by Bus in 2,
    a_mail_that_came_back_and_is_forgotten: BounceForgotten by Ledger in 94,
}
