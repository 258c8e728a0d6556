//! What machines send.

use super::*;
use crate::message::{DeliveryAction, DeliveryReport, ReportedRecipient};

#[test]
fn machines_and_latecomers_change_no_status() {
    let kinds = [AutomaticKind::AutoReply, AutomaticKind::Bulk, AutomaticKind::Bounce, AutomaticKind::List];
    for stands in [Status::New, Status::Open, Status::Pending, Status::OnHold, Status::Resolved, Status::Closed] {
        let mut case = case(mail(1, "I am away"));
        case.thread = vec![ticket(1, stands)];
        case.at = days(400);
        case.identified.inbound.late = true;
        assert_eq!(case.goes().1, append(1, None), "late, {stands:?}");
        case.identified.inbound.late = false;
        for kind in kinds {
            case.identified.inbound.message = automatic(message(Channel::Email, "I am away"), kind);
            assert_eq!(case.goes().1, append(1, None), "{kind:?}, {stands:?}");
        }
    }
}

#[test]
fn a_report_needs_to_know_a_mail_of_ours() {
    let mut case = case(mail(2, "could not be delivered"));
    let message = &mut case.identified.inbound.message;
    let failed = |n| ReportedRecipient {
        address: format!("c{n}@x.example"),
        action: DeliveryAction::Failed,
        status: None,
        diagnostic: None,
    };
    *message = automatic(message.clone(), AutomaticKind::Bounce);
    message.report = Some(DeliveryReport { recipients: vec![failed(1)], ..DeliveryReport::default() });
    let known = EventData::ParticipantAdded(colleague(Some(customer(1)), email("c1@x.example")));
    let ticket = Log::of(1).then(after(1), [known]).now();
    case.thread = vec![ticket.clone()];
    let stranger = || ("stranger_with_reference".to_owned(), create(&[(1, "referred to by a stranger")]));
    assert_eq!(case.goes(), stranger(), "others may know the id of a customer's mail");
    case.ours = vec![ticket_id(7)];
    assert_eq!(case.goes(), stranger(), "a mail of ours on another ticket");
    case.ours = vec![ticket_id(1)];
    assert_eq!(case.goes().1, append(1, None));
    let to_others = |mut case: Case| {
        case.identified.inbound.message.report.as_mut().unwrap().recipients = vec![failed(3)];
        case.goes()
    };
    assert_eq!(to_others(case.clone()).1, append(1, None), "whose it was when the mail left");
    (case.ours, case.thread, case.signed) = (vec![], vec![], Some(ticket));
    assert_eq!(case.goes().1, append(1, None));
    assert_eq!(to_others(case), stranger(), "no mail of this ticket goes there");
}
