"""The domain's own values, facts and errors. Pure: nothing here knows a wire format, a cluster or a clock."""
