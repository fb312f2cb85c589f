"""Routes of memory: threads, messages, working memory."""
