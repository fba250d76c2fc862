package main

// Main is what the tests' child processes run.
var Main = main
