"""Chat exports of LINE, WhatsApp, Telegram, Discord and Slack: messages become turns of conversations."""
