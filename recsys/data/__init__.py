"""From files to a split of histories: schema, id maps, readers, contract, preprocessing."""
