"""Guides answer at each step: given x_t, what are eps, x0_pred and the guidance vector?"""
