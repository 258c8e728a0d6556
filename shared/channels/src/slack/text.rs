//! Slack's text as people read it (<https://docs.slack.dev/messaging/formatting-message-text/>).

/// The text with links, people and channels written out, and `&`, `<` and `>` as themselves.
pub(super) fn readable(text: &str) -> String {
    let mut read = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        // A real `<` is written `&lt;`: what opens and does not close stays as it is.
        let Some((entity, following)) = after.split_once('>') else { break };
        read.push_str(before);
        read.push_str(&entity_text(entity));
        rest = following;
    }
    read.push_str(rest);
    // `&amp;` comes last: `&amp;lt;` is the text `&lt;`.
    read.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

fn entity_text(entity: &str) -> String {
    let (target, label) = entity.split_once('|').map_or((entity, None), |(target, label)| (target, Some(label)));
    let label = label.filter(|label| !label.is_empty());
    if let Some(user) = target.strip_prefix('@') {
        return format!("@{}", label.unwrap_or(user));
    }
    if let Some(channel) = target.strip_prefix('#') {
        return format!("#{}", label.unwrap_or(channel));
    }
    if let Some(command) = target.strip_prefix('!') {
        return command_text(command, label);
    }
    let address = target.strip_prefix("mailto:").or_else(|| target.strip_prefix("tel:")).unwrap_or(target);
    match label {
        Some(label) if label != address && !target.ends_with(label) => format!("{label} ({address})"),
        _ => address.to_owned(),
    }
}

/// `<!here>`, `<!subteam^S1|@support>`, `<!date^1392734382^{date}|18 February>`.
fn command_text(command: &str, label: Option<&str>) -> String {
    match (command.split_once('^'), label) {
        (_, Some(label)) => label.to_owned(),
        (Some((_, argument)), None) => format!("@{argument}"),
        (None, None) => format!("@{command}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_are_written_out() {
        for (written, meant) in [
            ("a &amp; b &lt;c&gt;", "a & b <c>"),
            ("&amp;lt;", "&lt;"),
            ("<@U012AB3CD> help", "@U012AB3CD help"),
            ("<@U012AB3CD|anna> help", "@anna help"),
            ("see <#C012|general>", "see #general"),
            ("<!here> <!subteam^S1|@support> <!subteam^S2>", "@here @support @S2"),
            ("<!date^1392734382^{date}|18 February>", "18 February"),
            ("<https://shop.example/?a=1&amp;b=2|order 4711>", "order 4711 (https://shop.example/?a=1&b=2)"),
            ("<https://shop.example>", "https://shop.example"),
            ("<http://shop.example|shop.example>", "http://shop.example"),
            ("<mailto:anna@shop.example|anna@shop.example>", "anna@shop.example"),
            ("<tel:+41446681800|+41 44 668 18 00>", "+41 44 668 18 00 (+41446681800)"),
            ("open < and <@U1", "open < and <@U1"),
            ("<>", ""),
            ("größer|<@U1|>", "größer|@U1"),
        ] {
            assert_eq!(readable(written), meant, "{written}");
        }
    }
}
